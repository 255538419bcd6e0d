# a table: one entry reads best on one line
"""What the card and the page say of each task: what a row is called, what the model does, how it is called over HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CLASSES = (
    "text-classification",
    "text-pair-classification",
    "image-classification",
    "audio-classification",
    "tabular-classification",
)
"""The tasks whose models always give one of their labels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A request, and what is printed of the reply in the card's example."""

    route: str = "/v1/predict"
    body: Mapping[str, Any] = field(default_factory=lambda: {"input": "…"})
    each: str = 'reply.json()["predictions"]'
    shown: str = 'one["label"], one["score"]'


@dataclass(frozen=True, kw_only=True, slots=True)
class OfTask:
    """How a task and its rows are called, in English and Chinese, and the hub's word for it."""

    thing: str = "row"
    chinese: str = "样本"
    said: str = "answer"
    said_in_chinese: str = "回答"
    title: tuple[str, str] = ("Model", "模型")
    does: tuple[str, str] = ("", "")
    hub: str | None = None
    call: Call | None = None
    """None where no endpoint answers it."""


TEXT: dict[str, Any] = {"thing": "text", "chinese": "文本"}
LABEL: dict[str, Any] = {"said": "label", "said_in_chinese": "标签"}
CHAT = Call(
    route="/v1/chat/completions",
    body={"messages": [{"role": "user", "content": "…"}]},
    each='reply.json()["choices"]',
    shown='one["message"]["content"]',
)
ROWS = OfTask()
TASKS: dict[str, OfTask] = {
    "text-classification": OfTask(**TEXT, **LABEL, hub="text-classification", title=("Text classifier", "文本分类器"), call=Call()),
    "text-pair-classification": OfTask(
        thing="pair", chinese="文本对", **LABEL, hub="text-classification", title=("Classifier of pairs of texts", "文本对分类器"),
        does=("Gives a pair of texts a label.", "为一对文本给出标签。"), call=Call(body={"input": {"text": "…", "text_pair": "…"}})),
    "multi-label-classification": OfTask(
        **TEXT, hub="text-classification", title=("Text classifier with several labels a text", "多标签文本分类器"),
        does=("Gives a text every label that fits.", "为文本给出所有适用的标签。"), call=Call(shown='one["labels"]')),
    "text-regression": OfTask(
        **TEXT, hub="text-classification", title=("Model that rates texts", "文本评分模型"),
        does=("Gives a text a number.", "为文本给出一个数值。"), call=Call(shown='one["value"]')),
    "token-classification": OfTask(
        **TEXT, hub="token-classification", title=("Tagger of words", "词语标注模型"),
        does=("Finds names and other entities in a text.", "在文本中找出实体。"), call=Call(shown='one["entities"]')),
    "question-answering": OfTask(
        thing="question", chinese="问题", hub="question-answering", title=("Model that answers from texts", "抽取式问答模型"),
        does=("Answers a question with a piece of a text.", "用文本中的片段回答问题。"),
        call=Call(body={"input": {"question": "…", "context": "…"}}, shown='one["answer"], one["score"]')),
    "image-classification": OfTask(
        thing="image", chinese="图片", **LABEL, hub="image-classification", title=("Image classifier", "图像分类器"),
        does=("Gives an image a label.", "为图片给出标签。"), call=Call(body={"input": {"image": "BASE64"}})),
    "audio-classification": OfTask(
        thing="recording", chinese="录音", **LABEL, hub="audio-classification", title=("Classifier of recordings", "音频分类器"),
        does=("Gives a recording a label.", "为录音给出标签。"), call=Call(body={"input": {"audio": "BASE64"}})),
    "text-generation": OfTask(**TEXT, hub="text-generation", title=("Language model", "语言模型"), does=("Goes on writing a text.", "续写文本。"), call=Call(route="/v1/completions", body={"prompt": "…"}, each='reply.json()["choices"]', shown='one["text"]')),
    "masked-language-model": OfTask(**TEXT, hub="fill-mask", title=("Masked language model", "掩码语言模型"), does=("Fills words that are hidden.", "填补被遮住的词。")),
    "chat": OfTask(thing="chat", chinese="对话", hub="text-generation", title=("Chat model", "对话模型"), does=("Answers in a chat.", "在对话中作答。"), call=CHAT),
    "preference": OfTask(
        thing="chat", chinese="对话", hub="text-generation", title=("Chat model tuned on preferences", "偏好调优的对话模型"),
        does=("Answers in a chat as people preferred.", "按人的偏好在对话中作答。"), call=CHAT),
    "text2text-generation": OfTask(**TEXT, hub="text2text-generation", title=("Model that writes a text from a text", "文本到文本模型"), does=("Writes a text from a text.", "由文本生成文本。")),
    "text-embedding": OfTask(
        **TEXT, hub="sentence-similarity", title=("Embedding model", "文本向量模型"),
        does=("Turns a text into a vector; texts that mean the same are near.", "将文本转为向量，含义相近的文本距离更近。"),
        call=Call(route="/v1/embeddings", each='reply.json()["data"]', shown='one["embedding"]')),
    "text-reranking": OfTask(
        thing="list", chinese="查询", hub="text-ranking", title=("Reranker", "重排序模型"),
        does=("Says how well a document answers a query.", "给出文档与查询的匹配程度。"),
        call=Call(route="/v1/rerank", body={"query": "…", "documents": ["…", "…"]}, each='reply.json()["results"]', shown='one["index"], one["relevance_score"]')),
    "recommendation": OfTask(
        thing="user", chinese="用户", title=("Recommender", "推荐模型"), does=("Says what a user takes next.", "预测用户接下来的选择。"),
        call=Call(body={"input": {"items": ["…", "…"]}}, shown='one["items"][0]["item"], one["items"][0]["score"]')),
    "tabular-classification": OfTask(
        **LABEL, hub="tabular-classification", title=("Classifier of a table's rows", "表格分类模型"),
        does=("Gives a row of a table a label.", "为表格的一行给出标签。"), call=Call(body={"input": {"row": {"COLUMN": "…"}}})),
    "tabular-regression": OfTask(
        hub="tabular-regression", title=("Model that rates a table's rows", "表格回归模型"),
        does=("Gives a row of a table a number.", "为表格的一行给出数值。"),
        call=Call(body={"input": {"row": {"COLUMN": "…"}}}, shown='one["value"]')),
}  # fmt: skip
