# a table of texts: one entry reads best on one line
"""The texts of the card and the page, in English and Chinese, side by side so that neither is forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from modelmint.core.figures import title_of
from modelmint.trust.tasks import ROWS, TASKS

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Words:
    """``words("n_rows", n="1,204")`` -> the text in the language of the page; `task` says what a row is called."""

    language: Language
    task: str = "text-classification"

    def __call__(self, key: str, **values: object) -> str:
        english, chinese = WORDS[key]
        of_task = TASKS.get(self.task, ROWS)
        if self.language == "zh":
            return chinese.format(thing=of_task.chinese, said=of_task.said_in_chinese, **values)
        return english.format(thing=of_task.thing, said=of_task.said, **values)

    def has(self, key: str) -> bool:
        return key in WORDS

    def figure(self, name: str) -> str:
        """What a figure is called; one of a label or type, ``f1:PER``, with it behind."""
        plain, _, part = name.partition(":")
        called = FIGURES.get(plain, (title_of(plain), plain.replace("_", " ")))[self.language == "zh"]
        return f"{called}: {part}" if part else called

    def reason(self, reason: str) -> str:
        """Why rows were put aside; a reason that is not in the table is shown as it is."""
        known = REASONS.get(reason)
        return (known[1] if self.language == "zh" else known[0]) if known else reason.replace("_", " ")

    def languages(self, codes: Sequence[str]) -> str:
        """Languages by name; a code that is not in the table is shown as it is."""
        mine = self.language == "zh"
        return ("、" if mine else ", ").join(LANGUAGES[code][mine] if code in LANGUAGES else code for code in codes)

    def masked(self, kind: str) -> str:
        """A kind of personal data."""
        known = MASKED.get(kind)
        return (known[1] if self.language == "zh" else known[0]) if known else kind.replace("_", " ")


WORDS: dict[str, tuple[str, str]] = {
    # the head
    "report": ("Model report", "模型报告"),
    "title": ("Text classifier with {n} labels", "{n} 个标签的文本分类器"),
    "lead": ("Sorts a text into one of {labels} labels. On {n} test texts that took no part in its training, {accuracy} of its answers were right.",
             "将一段文本归入 {labels} 个标签之一。在 {n} 条未参与训练的测试文本上，{accuracy} 的回答正确。"),
    "lead_task": ("{does} On {n} test {thing}s that took no part in its training its {figure} is {value}.",
                  "{does}在 {n} 条未参与训练的测试{thing}上，{figure}为 {value}。"),
    "lead_baseline": ("The cheap baseline got {baseline}.", "简单基线为 {baseline}。"),
    "use_mark": ("What it is for.", "用途："),
    "use": ("What it is for", "用途"),
    "all_passed": ("All gates passed", "所有关卡均通过"),
    "refused": ("Refused by its gates", "未通过关卡"),
    "overridden": ("Refused by its gates, let pass by a person", "未通过关卡，经人工放行"),
    "parity_passed": ("Served as trained", "线上与训练一致"),
    "parity_refused": ("Not served as trained", "线上与训练不一致"),
    # headline figures
    "interval": ("95% interval", "95% 置信区间"),
    "versus": ("baseline {value}", "基线 {value}"),
    "size": ("Size", "大小"),
    "p50": ("Median latency", "延迟中位数"),
    "one_text": ("one {thing}, on this machine", "本机单条{thing}"),
    "p95": ("95 of 100 within {p95}", "95% 在 {p95} 内"),
    "cost": ("Cost per million", "每百万次成本"),
    "cost_note": ("calls, machine time alone", "次调用，仅计机器时间"),
    "parity": ("Parity", "一致性"),
    "parity_note": ("same {said} on {n} rows through the real endpoint", "经真实接口 {n} 行中{said}相同的比例"),
    "per_second": ("{n} {thing}s/s", "{n} 条/秒"),
    "way_tfidf+logistic regression": ("TF-IDF and logistic regression", "TF-IDF 与逻辑回归"),
    "way_untuned base+logistic regression": ("the base before training, and logistic regression", "未微调的基座与逻辑回归"),
    "way_majority label": ("always the most frequent label", "总是回答最常见的标签"),
    "baseline_short": ("Cheap baseline", "简单基线"),
    "baseline_named": ("Cheap baseline ({name})", "简单基线（{name}）"),
    "baseline_note": ("Cheap baseline: {name}.", "简单基线：{name}。"),
    # quality
    "quality": ("How good it is", "效果"),
    "model": ("This model", "本模型"),
    "live": ("Live model before", "此前的线上模型"),
    "figure_title": ("{figure} beside the cheap baseline", "{figure}与简单基线对比"),
    "interval_note": ("Dot: the figure. Line: its 95% interval. {n} test {thing}s.", "圆点为数值，横线为 95% 置信区间。测试{thing} {n} 条。"),
    "calibration_title": ("Do its scores keep their word?", "分数可信吗？"),
    "calibration_note": ("On the dashed line, a score of 80% is right in 8 of 10. Larger dot: more {thing}s. Average distance {ece}.",
                         "落在虚线上表示 80% 的分数有八成正确。圆点越大{thing}越多。平均偏差 {ece}。"),
    "calibration_note_plain": ("On the dashed line, a score of 80% is right in 8 of 10. Larger dot: more {thing}s.",
                               "落在虚线上表示 80% 的分数有八成正确。圆点越大{thing}越多。"),
    "score": ("score", "分数"),
    "share_right": ("share right", "正确率"),
    "gates": ("Gates", "关卡"),
    "gate": ("Gate", "关卡"),
    "allowed": ("Must be", "要求"),
    "gate_accuracy": ("accuracy", "准确率"),
    "gate_macro_f1": ("macro F1", "宏平均 F1"),
    "gate_agreement": ("same {said} through the endpoint", "经接口{said}一致"),
    "gate_accuracy_drop": ("accuracy lost through the endpoint", "经接口准确率损失"),
    "gate_differences": ("differences from the trained model", "与训练模型的差异"),
    "gate_mean_drift": ("mean change of probability", "概率平均变化"),
    "gate_max_drift": ("largest change of probability", "概率最大变化"),
    "gate_adversarial_agreement": ("same {said} on odd {thing}s", "异常{thing}{said}一致"),
    "gate_adversarial_mean_drift": ("mean change on odd {thing}s", "异常{thing}概率平均变化"),
    "gate_neighbour_drift": ("change by what else is asked", "受同批请求影响的变化"),
    "gate_failed_rows": ("rows that the endpoint failed on", "接口失败行数"),
    "value": ("Is", "实际"),
    "verdict": ("Verdict", "结论"),
    "passed": ("passed", "通过"),
    "failed": ("refused", "未通过"),
    "not_computed": ("not computed", "无法计算"),
    # labels
    "by_label": ("Label by label", "各标签"),
    "worst_title": ("The {n} weakest labels", "最弱的 {n} 个标签"),
    "all_title": ("All {n} labels", "全部 {n} 个标签"),
    "rest_title": ("The other {n} labels", "其余 {n} 个标签"),
    "strip_title": ("F1 of all {n} labels, weakest first", "全部 {n} 个标签的 F1，从弱到强"),
    "strip_note": ("One column a label. Median {median}; {weak} below {limit}.", "每列一个标签。中位数 {median}；{weak} 个低于 {limit}。"),
    "label": ("Label", "标签"),
    "precision": ("Precision", "精确率"),
    "recall": ("Recall", "召回率"),
    "test_rows": ("Test", "测试"),
    "train_rows": ("Train", "训练"),
    "class_note": ("F1 joins precision (how often the label is right when given) and recall (how many of its {thing}s are found).",
                   "F1 综合精确率（给出该标签时的正确率）与召回率（该标签{thing}被找到的比例）。"),
    "confusions_title": ("What it mistakes for what", "最常见的混淆"),
    "confusions_note": ("The most frequent of {n} wrong answers.", "{n} 个错误回答中最常见的。"),
    "truth": ("Is", "实际"),
    "predicted": ("Was called", "被判为"),
    "count": ("Times", "次数"),
    "no_errors": ("No wrong answer on the test set.", "测试集上没有错误回答。"),
    # limits
    "limits": ("Limits and risks", "局限与风险"),
    "limit_refused": ("Refused by a gate: {reason}.", "未通过关卡：{reason}。"),
    "limit_overridden": ("A person let {stage} pass all the same, {by}: {reason}.", "{stage} 经 {by} 人工放行：{reason}。"),
    "limit_size": ("Measured on {n} test {thing}s: with 95% confidence the true {figure} lies between {low} and {high}.",
                   "基于 {n} 条测试{thing}：真实{figure}有 95% 的把握在 {low} 到 {high} 之间。"),
    "limit_baseline": ("It is not clearly better than the cheap baseline: the difference may be chance.", "与简单基线相比优势不明显，差异可能出于偶然。"),
    "limit_weak": ("Weak labels, with an F1 below {limit}: {names}. Have a person check these answers.", "较弱的标签（F1 低于 {limit}）：{names}。这些回答请人工复核。"),
    "limit_more": ("and {n} more", "等另外 {n} 个"),
    "limit_few": ("{count} of {total} labels have fewer than {few} test {thing}s: their own figures are rough.",
                  "{total} 个标签中有 {count} 个的测试{thing}少于 {few} 条，其单项数字较粗略。"),
    "limit_untested": ("Not measured at all, for want of test {thing}s: {names}.", "缺少测试{thing}而未测量的标签：{names}。"),
    "limit_confused": ("Its most frequent mistake: {truth} called {predicted}, {count} times.", "最常见的错误：将 {truth} 判为 {predicted}，共 {count} 次。"),
    "limit_uneven": ("Training {thing}s are spread unevenly: from {low} to {high} a label.", "各标签的训练{thing}数量不均：{low} 到 {high} 条。"),
    "limit_conflicts": ("{n} rows had one {thing} under different labels and were put aside: some labels overlap, or were not given alike.",
                        "{n} 行因同一{thing}标签不同而被隔离：部分标签含义重叠或标注不一致。"),
    "limit_truncated": ("{share} of the texts are longer than {n} tokens; it does not read the rest of them.", "{share} 的文本超过 {n} 个词元，超出部分不会被读取。"),
    "limit_too_sure": ("Its scores are too high by {points} points on average: do not read them as probabilities.", "分数平均偏高 {points} 个百分点，不宜视为概率。"),
    "limit_too_shy": ("Its scores are too low by {points} points on average: do not read them as probabilities.", "分数平均偏低 {points} 个百分点，不宜视为概率。"),
    "limit_served": ("Served, it is right on {served} of {n} test {thing}s, against {trained} of the trained model.", "线上在 {n} 条测试{thing}上的正确率为 {served}，训练模型为 {trained}。"),
    "limit_language": ("Its base was made for these languages: {languages}. Others were not tested.", "基座支持的语言：{languages}。其他语言未测试。"),
    "limit_closed": ("It always answers with one of its {n} labels, also when none of them fits the {thing}.", "即使{thing}不属于任何标签，它也总会给出 {n} 个标签之一。"),
    "limit_drift": ("The figures hold for {thing}s like the test {thing}s. New topics, products or channels need a new measurement.",
                    "以上数字适用于与测试{thing}相似的{thing}；新主题、新产品或新渠道需重新测量。"),
    "limit_unknown": ("The base does not know {share} of the tokens: it may be for another language.", "基座不认识 {share} 的词元，可能不适合该语言。"),
    "limit_strange": ("In the test set but never learned, so always wrong: {names}.", "测试集中有但从未学过、因此总会答错的标签：{names}。"),
    "limit_alike": ("Labels that differ only in case or spaces: {names}.", "仅大小写或空格不同的标签：{names}。"),
    "limit_licence": ("The licence of a part that it was made from is not known. Settle that before you sell or publish it.", "部分来源的许可不明。出售或发布前请先确认。"),
    "limit_masked": ("Personal data was found by pattern: names and free descriptions of people may remain in the training {thing}s.",
                     "个人信息按格式识别，训练{thing}中可能仍有姓名或对个人的描述。"),
    "limit_not_masked": ("Nobody looked for personal data in the training {thing}s.", "未检查训练{thing}中的个人信息。"),
    # data
    "data": ("What it learned from", "训练数据"),
    "flow_title": ("Where the rows went", "数据去向"),
    "rows_in": ("{n} rows in", "输入 {n} 行"),
    "rows_in_feedback": ("{n} rows in, {new} from feedback", "输入 {n} 行，反馈 {new} 行"),
    "kept": ("{n} of {total} rows kept ({share}).", "共 {total} 行，保留 {n} 行（{share}）。"),
    "feedback_note": ("Of {n} feedback entries, {kept} became new training rows.", "{n} 条反馈中，{kept} 条成为新的训练数据。"),
    "train": ("Training", "训练"),
    "validation": ("Validation", "验证"),
    "test": ("Test", "测试"),
    "put_aside": ("Put aside", "隔离"),
    "reason": ("Reason", "原因"),
    "rows": ("Rows", "行数"),
    "others": ("{n} other reasons", "其他 {n} 种原因"),
    "tokens_title": ("How long the texts are", "文本长度"),
    "tokens_note": ("In tokens, before training. {n} texts ({share}) are longer than the model reads.",
                    "以词元计，训练前统计。{n} 条文本（{share}）超出模型读取长度。"),
    "tokens_none": ("In tokens, before training. No text is longer than the model reads.", "以词元计，训练前统计。没有文本超出模型读取长度。"),
    "tokens_plain": ("In tokens, before training.", "以词元计，训练前统计。"),
    "reads": ("reads {n}", "读取 {n}"),
    "masked_title": ("Personal data masked", "已遮盖的个人信息"),
    "masked_note": ("Found by pattern and checksum and replaced before training.", "按格式与校验码识别，训练前已替换。"),
    "masked_none": ("Looked for; none was found.", "已检查，未发现。"),
    "kind": ("Kind", "类型"),
    "found": ("Masked", "数量"),
    # training
    "training": ("How it was trained", "训练过程"),
    "loss_title": ("Loss falls as it learns", "训练损失"),
    "loss_plain": ("Loss over training", "训练损失"),
    "validation_title": ("{figure} on validation {thing}s", "验证集{figure}"),
    "train_loss": ("training", "训练"),
    "validation_loss": ("validation", "验证"),
    "by_epoch": ("By epoch.", "按轮次。"),
    "by_step": ("By step.", "按步数。"),
    "kept_epoch": ("The state after epoch {best} of {epochs} was kept.", "保留第 {best} 轮（共 {epochs} 轮）的结果。"),
    "parameters": ("Parameters", "参数量"),
    "million": ("{n} million", "{n} 百万"),
    "estimate_title": ("Estimate and what it took", "预估与实际"),
    "estimated": ("Estimated", "预估"),
    "actual": ("Took", "实际"),
    "time": ("Time", "时间"),
    "memory": ("Memory", "内存"),
    "speed": ("Speed", "速度"),
    "actual_title": ("What training took", "训练消耗"),
    # serving
    "serving": ("How it is served", "部署形式"),
    "variants_title": ("The same model in other forms", "同一模型的不同形式"),
    "variants_note": ("Times are of one {thing} on the machine that made this report. ✓ is the one that is served.",
                      "时间为生成本报告的机器上单条{thing}。✓ 为实际部署的形式。"),
    "variant": ("Form", "形式"),
    "chosen": ("served", "已部署"),
    "as_trained": ("as trained", "训练所得"),
    "throughput": ("Per second", "每秒"),
    "cost_short": ("Per million", "每百万次"),
    "agreement": ("Same {said}", "{said}一致"),
    "latency_title": ("How long one {thing} takes", "单条{thing}耗时"),
    "latency_note": ("Dot: median. Line: up to the 95th percentile.", "圆点为中位数，横线至第 95 百分位。"),
    "through_http": ("through the endpoint", "经接口"),
    "parity_title": ("Is what is served what was trained?", "线上是否与训练一致？"),
    "parity_text": ("{n} test {thing}s went through the real endpoint. It gave the trained model's {said} on {agreement}; {served} were right, against {trained} of the trained model.",
                    "{n} 条测试{thing}经真实接口。{agreement} 与训练模型{said}一致；正确率 {served}，训练模型为 {trained}。"),
    "parity_plain": ("{n} test {thing}s went through the real endpoint. It gave the trained model's {said} on {agreement}.",
                     "{n} 条测试{thing}经真实接口，{agreement} 与训练模型的{said}一致。"),
    # the foot
    "foot": ("About this model", "关于本模型"),
    "base": ("Base model", "基座模型"),
    "languages": ("Languages of the base", "基座语言"),
    "licences": ("Licences it was made under", "来源许可"),
    "digest": ("Fingerprint", "指纹"),
    "date": ("Report of", "报告日期"),
    "contact": ("Contact", "联系方式"),
    "made_with": ("Every figure here was measured by Modelmint {version}, quality on {thing}s that took no part in training. None was typed in.",
                  "所有数字均由 Modelmint {version} 测得，效果基于未参与训练的{thing}，无人工填写。"),
    "reads_up_to": ("Reads up to", "最大读取长度"),
    "tokens": ("{n} tokens", "{n} 个词元"),
    # the card
    "call": ("How to call it", "如何调用"),
    "call_note": ("Start the server with `modelmint up` and deploy the model; then:", "用 `modelmint up` 启动服务并部署模型，然后："),
    "evaluation": ("Evaluation", "评估"),
    "evaluation_note": ("On {n} test {thing}s that took no part in training. In brackets: 95% bootstrap intervals.",
                        "在 {n} 条未参与训练的测试{thing}上。括号内为 95% 自助法置信区间。"),
    "metric": ("Metric", "指标"),
    "environment": ("Environment", "环境消耗"),
    "environment_note": ("Training took {seconds} and at most {memory} of memory, on one machine.", "训练用时 {seconds}，内存峰值 {memory}，单机完成。"),
    "environment_seconds": ("Training took {seconds}, on one machine.", "训练用时 {seconds}，单机完成。"),
    "licence": ("Licence", "许可"),
    "licence_note": ("This model was made from works under: {licences}. Their terms go with it.", "本模型来源于以下许可的作品：{licences}。其条款随之适用。"),
    "licence_none": ("No licence was recorded for what this model was made from. Settle that before you sell or publish it.",
                     "未记录来源的许可。出售或发布前请先确认。"),
}  # fmt: skip

FIGURES: dict[str, tuple[str, str]] = {
    "accuracy": ("Accuracy", "准确率"), "macro_f1": ("Macro F1", "宏平均 F1"), "micro_f1": ("Micro F1", "微平均 F1"),
    "f1": ("F1", "F1"), "precision": ("Precision", "精确率"), "recall": ("Recall", "召回率"), "auc": ("AUC", "AUC"),
    "exact_match": ("Exact match", "完全匹配率"), "log_loss": ("Log loss", "对数损失"), "ece": ("Calibration error", "校准误差"),
    "rmse": ("RMSE", "均方根误差"), "mae": ("MAE", "平均绝对误差"), "r2": ("R²", "R²"), "bleu": ("BLEU", "BLEU"),
    "recall_at_10": ("Recall at 10", "前 10 召回率"), "ndcg_at_10": ("NDCG at 10", "NDCG@10"), "mrr_at_10": ("MRR at 10", "MRR@10"),
    "accuracy_at_1": ("Accuracy at 1", "首位准确率"), "hit_rate_at_10": ("Hit rate at 10", "前 10 命中率"),
    "perplexity": ("Perplexity", "困惑度"), "loss": ("Loss", "损失"), "answer_loss": ("Loss of the answers", "回答的损失"),
    "bits_per_byte": ("Bits per byte", "每字节比特数"), "bits_per_character": ("Bits per character", "每字符比特数"),
    "subset_accuracy": ("Subset accuracy", "全部标签正确率"), "jaccard": ("Jaccard", "Jaccard 系数"),
}  # fmt: skip


REASONS: dict[str, tuple[str, str]] = {
    "bad_width": ("wrong number of cells", "列数不符"),
    "bad_quote": ("quote never closed", "引号未闭合"),
    "bad_json": ("not valid JSON", "JSON 无效"),
    "bad_type": ("text is not a string", "文本不是字符串"),
    "conflict": ("same text, other label", "同一文本标签冲突"),
    "contradiction": ("contradicting feedback", "反馈相互矛盾"),
    "label_conflict": ("same text, other label", "同一文本标签冲突"),
    "duplicate": ("duplicate", "重复"),
    "empty_text": ("no text", "文本为空"),
    "empty": ("no text", "文本为空"),
    "leak": ("test text in training", "测试文本混入训练"),
    "missing_label": ("no label", "缺少标签"),
    "no_label": ("no label", "缺少标签"),
    "not_utf8": ("not UTF-8", "编码非 UTF-8"),
    "nul_byte": ("NUL byte", "含 NUL 字节"),
    "rare_label": ("label too rare to split", "标签样本过少"),
    "too_long": ("far too long", "过长"),
    "undecodable": ("undecodable bytes", "无法解码"),
    "unknown_label": ("unknown label", "未知标签"),
}  # fmt: skip

MASKED: dict[str, tuple[str, str]] = {
    "email": ("e-mail addresses", "电子邮箱"),
    "phone": ("phone numbers", "电话号码"),
    "card": ("bank cards", "银行卡号"),
    "iban": ("IBANs", "IBAN 账号"),
    "account": ("bank accounts", "银行账号"),
    "id": ("identity card numbers", "身份证件号码"),
    "passport": ("passport numbers", "护照号码"),
    "plate": ("number plates", "车牌号"),
    "address": ("postal addresses", "地址"),
    "ip": ("IP addresses", "IP 地址"),
    "handle": ("account names", "账号名"),
    "date_of_birth": ("dates of birth", "出生日期"),
    "date": ("dates", "日期"),
    "year": ("years", "年份"),
    "age": ("ages", "年龄"),
    "url": ("web addresses", "网址"),
    "uscc": ("codes of Chinese firms", "统一社会信用代码"),
    "person": ("names of people", "人名"),
    "place": ("places", "地名"),
    "organisation": ("organisations", "机构名"),
}  # fmt: skip

LANGUAGES: dict[str, tuple[str, str]] = {
    "ar": ("Arabic", "阿拉伯语"), "de": ("German", "德语"), "en": ("English", "英语"), "es": ("Spanish", "西班牙语"),
    "fr": ("French", "法语"), "hi": ("Hindi", "印地语"), "id": ("Indonesian", "印尼语"), "it": ("Italian", "意大利语"),
    "ja": ("Japanese", "日语"), "ko": ("Korean", "韩语"), "nl": ("Dutch", "荷兰语"), "pl": ("Polish", "波兰语"),
    "pt": ("Portuguese", "葡萄牙语"), "ru": ("Russian", "俄语"), "th": ("Thai", "泰语"), "tr": ("Turkish", "土耳其语"),
    "vi": ("Vietnamese", "越南语"), "zh": ("Chinese", "中文"),
}  # fmt: skip
