"""The lines by which a stranger asks an exported Hugging Face folder: they stand in its README, and tests run them.

Each ends with `answers`, what it prints.
"""

from pathlib import Path

from modelmint.compression.exports.source import Source
from modelmint.core.capitals import CAPITALS

_POOLED = """\
import json, torch
from pathlib import Path
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

about = json.loads(Path("modelmint.json").read_text("utf-8"))
tokenizer, encoder = AutoTokenizer.from_pretrained("."), AutoModel.from_pretrained(".")
head = load_file("2_Dense/model.safetensors")
texts = {texts}
inputs = tokenizer(texts, truncation=True, max_length=about["max_tokens"], padding=True, return_tensors="pt")
with torch.no_grad():
    states = encoder(**inputs).last_hidden_state
mask = inputs["attention_mask"].unsqueeze(-1)
mean = (states * mask).sum(1) / mask.sum(1)
logits = mean @ head["linear.weight"].T + head["linear.bias"]
{answers}
print(answers)
"""
_ANSWERS = {
    "softmax": 'answers = [about["labels"][at] for at in logits.argmax(1).tolist()]',
    "sigmoid": 'enough = logits.sigmoid() >= torch.tensor(about["answers"]["thresholds"])\n'
    'answers = [[about["labels"][at] for at in row.nonzero().flatten().tolist()] for row in enough]',
    "identity": 'answers = (logits[:, 0] * about["answers"]["scale"] + about["answers"]["mean"]).tolist()',
}
_TAGS = """\
import json, torch
from pathlib import Path
from transformers import AutoModelForTokenClassification, AutoTokenizer

about = json.loads(Path("modelmint.json").read_text("utf-8"))
tokenizer, model = AutoTokenizer.from_pretrained("."), AutoModelForTokenClassification.from_pretrained(".")
words = ["the", "plastic", "card"]
inputs = tokenizer(words, is_split_into_words=True, truncation=True, max_length=about["max_tokens"], return_tensors="pt")
of = inputs.word_ids()
{types}with torch.no_grad():
    tags = model(**inputs).logits[0].argmax(-1).tolist()
answers = [about["tags"][tags[of.index(at)]] for at in range(len(words)) if at in of]
print(answers)
"""
_TYPES = """\
def capitals(word):  # the base knows no capitals: they are told as types of tokens
    if not any(letter.isupper() for letter in word):
        return 0
    if word[0].isupper() and not any(letter.isupper() for letter in word[1:]):
        return 1
    return 2 if word.upper() == word else 3
inputs["token_type_ids"] = torch.tensor([[0 if at is None else capitals(words[at]) for at in of]])
"""
_SPANS = """\
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

tokenizer, model = AutoTokenizer.from_pretrained("."), AutoModelForQuestionAnswering.from_pretrained(".")
question, context = "which card", "the plastic card will please"
inputs = tokenizer(question, context, truncation="only_second", return_tensors="pt", return_offsets_mapping=True)
offsets = inputs.pop("offset_mapping")[0].tolist()
with torch.no_grad():
    found = model(**inputs)
inside = torch.tensor([one == 1 for one in inputs.sequence_ids()])
first = found.start_logits[0].masked_fill(~inside, -1e9).argmax().item()
last = first + found.end_logits[0].masked_fill(~inside, -1e9)[first:].argmax().item()
answers = context[offsets[first][0] : offsets[last][1]]
print(answers)
"""
_WRITER = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer, model = AutoTokenizer.from_pretrained("."), AutoModelForCausalLM.from_pretrained(".")
inputs = tokenizer("the", return_tensors="pt", return_token_type_ids=False)
written = model.generate(**inputs, max_new_tokens=20, do_sample=False)
answers = tokenizer.decode(written[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
print(answers)
"""
_CHAT = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer, model = AutoTokenizer.from_pretrained("."), AutoModelForCausalLM.from_pretrained(".")
chat = [{"role": "user", "content": "red"}]
inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True, return_tensors="pt")
written = model.generate(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], max_new_tokens=20, do_sample=False)
answers = tokenizer.decode(written[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
print(answers)
"""
_TEXT2TEXT = """\
import json
from pathlib import Path
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

about = json.loads(Path("modelmint.json").read_text("utf-8"))
tokenizer, model = AutoTokenizer.from_pretrained("."), AutoModelForSeq2SeqLM.from_pretrained(".")
inputs = tokenizer([about["prefix"] + "a text"], truncation=True, max_length=about["max_tokens"], return_tensors="pt", return_token_type_ids=False)
answers = tokenizer.batch_decode(model.generate(**inputs, do_sample=False), skip_special_tokens=True)
print(answers)
"""
_EMBEDDING = """\
from sentence_transformers import SentenceTransformer

model = SentenceTransformer(".")
answers = model.encode(["a text", "another text"])
print(answers @ answers.T)
"""
_RERANKING = """\
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer, model = AutoTokenizer.from_pretrained("."), AutoModelForSequenceClassification.from_pretrained(".")
query, documents = "my card", ["the plastic card", "cash notes"]
inputs = tokenizer([query] * len(documents), documents, truncation=True, padding=True, return_tensors="pt")
with torch.no_grad():
    answers = model(**inputs).logits[:, 0].sigmoid().tolist()
print(answers)
"""
_MASKED = """\
from transformers import AutoModelForMaskedLM, AutoTokenizer

tokenizer, model = AutoTokenizer.from_pretrained("."), AutoModelForMaskedLM.from_pretrained(".")
inputs = tokenizer(f"the {tokenizer.mask_token}", return_tensors="pt")
hidden = inputs["input_ids"][0] == tokenizer.mask_token_id
answers = tokenizer.convert_ids_to_tokens(model(**inputs).logits[0, hidden].topk(5).indices[0].tolist())
print(answers)
"""
_IMAGES = """\
from transformers import AutoImageProcessor, AutoModelForImageClassification
from PIL import Image

processor, model = AutoImageProcessor.from_pretrained("."), AutoModelForImageClassification.from_pretrained(".")
logits = model(**processor(Image.open("picture.png").convert("RGB"), return_tensors="pt")).logits
answers = model.config.id2label[logits.argmax(-1).item()]
print(answers)
"""
_BY_TASK = {
    "question-answering": _SPANS,
    "text-generation": _WRITER,
    "chat": _CHAT,
    "preference": _CHAT,
    "text2text-generation": _TEXT2TEXT,
    "text-embedding": _EMBEDDING,
    "text-reranking": _RERANKING,
    "masked-language-model": _MASKED,
    "image-classification": _IMAGES,
}


def usage_of(source: Source, folder: Path) -> str:
    """Markdown with lines of Python that run inside the exported folder."""
    if (folder / "2_Dense").is_dir():
        return _of_pooled(source)
    if source.task == "token-classification":
        code = _TAGS.replace("{types}", _TYPES if source.about.get(CAPITALS, source.about.get("capitals")) else "")
    else:
        code = _BY_TASK[source.task]
    more = {"image-classification": " torchvision pillow", "text-embedding": " sentence-transformers"}
    return f"In this folder, with `pip install torch transformers{more.get(source.task, '')}`:\n\n{_block(code)}"


def _of_pooled(source: Source) -> str:
    pairs = len(source.about.get("inputs") or ()) > 1
    code = _POOLED.replace("{texts}", '[["one text", "another"]]' if pairs else '["the plastic card", "cash notes"]')
    code = code.replace("{answers}", _ANSWERS[str(source.about.get("answers", {}).get("by", "softmax"))])
    more = "" if pairs else '\n`sentence_transformers.SentenceTransformer(".").encode(texts)` gives the same logits.\n'
    head = (
        "The encoder at the top, the mean of its states, the layer of `2_Dense`: the layout of sentence-transformers. "
    )
    return f"{head}In this folder, with `pip install torch transformers`:\n\n{_block(code)}{more}"


def _block(code: str) -> str:
    return f"```python\n{code}```\n"
