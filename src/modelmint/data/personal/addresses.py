"""Postal addresses by their patterns: Chinese from province to room, English streets, boxes, postcodes."""

import re
from collections.abc import Iterator

from modelmint.data.personal.contexts import Found

_PROVINCES = (
    "北京 天津 上海 重庆 河北 山西 辽宁 吉林 黑龙江 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 广东 海南 四川 贵州 云南 陕西 甘肃 "
    "青海 台湾 内蒙古 广西 西藏 宁夏 新疆 香港 澳门"
)
_CITIES = (
    "石家庄 唐山 秦皇岛 邯郸 邢台 保定 张家口 承德 沧州 廊坊 衡水 太原 大同 阳泉 长治 晋城 朔州 晋中 运城 忻州 临汾 吕梁 呼和浩特 包头 "
    "乌海 赤峰 通辽 鄂尔多斯 呼伦贝尔 巴彦淖尔 乌兰察布 沈阳 大连 鞍山 抚顺 本溪 丹东 锦州 营口 阜新 辽阳 盘锦 铁岭 朝阳 葫芦岛 长春 "
    "四平 辽源 通化 白山 松原 白城 哈尔滨 齐齐哈尔 鸡西 鹤岗 双鸭山 大庆 伊春 佳木斯 七台河 牡丹江 黑河 绥化 南京 无锡 徐州 常州 苏州 "
    "南通 连云港 淮安 盐城 扬州 镇江 泰州 宿迁 杭州 宁波 温州 嘉兴 湖州 绍兴 金华 衢州 舟山 台州 丽水 合肥 芜湖 蚌埠 淮南 马鞍山 淮北 "
    "铜陵 安庆 黄山 滁州 阜阳 宿州 六安 亳州 池州 宣城 福州 厦门 莆田 三明 泉州 漳州 南平 龙岩 宁德 南昌 景德镇 萍乡 九江 新余 鹰潭 赣州 "
    "吉安 宜春 抚州 上饶 济南 青岛 淄博 枣庄 东营 烟台 潍坊 济宁 泰安 威海 日照 临沂 德州 聊城 滨州 菏泽 郑州 开封 洛阳 平顶山 安阳 鹤壁 "
    "新乡 焦作 濮阳 许昌 漯河 三门峡 南阳 商丘 信阳 周口 驻马店 武汉 黄石 十堰 宜昌 襄阳 鄂州 荆门 孝感 荆州 黄冈 咸宁 随州 长沙 株洲 湘潭 "
    "衡阳 邵阳 岳阳 常德 张家界 益阳 郴州 永州 怀化 娄底 广州 韶关 深圳 珠海 汕头 佛山 江门 湛江 茂名 肇庆 惠州 梅州 汕尾 河源 阳江 清远 东莞 "
    "中山 潮州 揭阳 云浮 南宁 柳州 桂林 梧州 北海 防城港 钦州 贵港 玉林 百色 贺州 河池 来宾 崇左 海口 三亚 三沙 儋州 成都 自贡 攀枝花 泸州 德阳 "
    "绵阳 广元 遂宁 内江 乐山 南充 眉山 宜宾 广安 达州 雅安 巴中 资阳 贵阳 六盘水 遵义 安顺 毕节 铜仁 昆明 曲靖 玉溪 保山 昭通 丽江 普洱 临沧 "
    "拉萨 日喀则 昌都 林芝 山南 那曲 西安 铜川 宝鸡 咸阳 渭南 延安 汉中 榆林 安康 商洛 兰州 嘉峪关 金昌 白银 天水 武威 张掖 平凉 酒泉 庆阳 定西 "
    "陇南 西宁 海东 银川 石嘴山 吴忠 固原 中卫 乌鲁木齐 克拉玛依 石河子 吐鲁番 哈密"
)
_HAN = "\u4e00-\u9fff"
_PROVINCE = f"(?:{_PROVINCES.replace(' ', '|')})(?:省|市|壮族自治区|回族自治区|维吾尔自治区|自治区|特别行政区)?"
_CITY = f"(?:{_CITIES.replace(' ', '|')})市?|[{_HAN}]{{2,7}}?(?:自治州|地区|盟)"
_AREA = f"[{_HAN}]{{1,8}}?(?:新区|开发区|高新区|自治县|自治旗|区|县|旗|市)"
_TOWN = f"[{_HAN}]{{1,8}}?(?:街道|镇|乡|苏木)"
_STREET = f"[{_HAN}A-Za-z0-9]{{1,12}}?(?:大道|大街|胡同|公路|路|街|巷|弄|里|道|村|屯|组|社区|小区|花园|广场|大厦|公寓)(?:[东南西北中]?[0-9一二三四五六七八九十]{{0,3}}段)?"
_NUMBER = "[0-9０-９一二三四五六七八九十百零甲乙丙-]{1,8}"
_PLACE = f"{_NUMBER}(?:号院|号楼|号(?!地)|弄|栋|幢|座|单元|楼|层|室|户|房)|[A-Za-z](?:座|栋|单元)|[A-Za-z]?[0-9]{{3,4}}(?![0-9])"
_CHINESE = re.compile(
    f"(?P<wide>{_PROVINCE})?(?P<city>{_CITY})?(?P<area>(?:{_AREA}){{0,2}}?)(?P<town>(?:{_TOWN})?)"
    f"(?P<street>(?:{_STREET}){{1,3}}?)(?:附近)?(?P<place>(?:{_PLACE}){{1,6}})"
)
_PLACES = re.compile("[0-9A-Za-z一二三四五六七八九十百零甲乙丙][号弄栋幢座单楼层室户房院]|[号栋楼][0-9]")
_BEGINS = re.compile(f"{_PROVINCE}|(?:{_CITIES.replace(' ', '|')})市")
_LOOSE = re.compile(
    f"(?:住址|地址|住在|家住|位于|寄到|寄往|送到|送往|搬到|居住在|现住|住所)(?:是|为|在)?[:： ]{{0,2}}"
    f"(?P<address>(?:{_AREA}){{0,2}}?(?:{_TOWN})?(?:{_STREET}){{1,3}}?(?:{_PLACE}){{1,6}})"
)
_TYPES = (
    "street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|place|pl|square|sq|terrace|ter|way|parkway|pkwy|"
    "highway|hwy|circle|cir|trail|close|crescent|cres|mews|row|walk|alley|plaza|broadway|grove|gardens|hill|quay|wharf"
)
_UNIT = r"(?:[,>?]{0,3}\s{1,5}[>?]{0,3} ?(?:apt|apartment|suite|ste|unit|flat|floor|room|bldg)\.? ?#?[A-Za-z]?[0-9][A-Za-z0-9-]{0,5}\b)"
_CODE = "(?:[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}|[0-9]{4,6}(?:-[0-9]{3,4})?|[0-9]{3} [0-9]{2})"
_LINE = r"(?:[,>?]{0,3}\s{1,5}[>?,]{0,3} ?[^\W0-9_][\w'’.()/-]{0,20}(?: [^\W0-9_][\w'’.()/-]{0,20}){0,4})"
_TAIL = rf"(?:{_LINE}{{0,3}}?[,>?]{{0,3}}\s{{1,5}}[>?,]{{0,3}} ?(?i:{_CODE})(?![0-9A-Za-z-]))"
_NAME = r"[^\W0-9_][\w'’./-]{0,24}"
_LEAD = r"(?<![0-9A-Za-z$.,#:/-])[0-9]{1,6}(?:[A-Za-z]|-[0-9]{1,4})?(?: [0-9]{1,5})?"
_TITLED = "|".join(sorted({form for word in _TYPES.split("|") for form in (word.capitalize(), word.upper())}))
_CAPITAL = r"(?:[^\W\d_a-z][\w'’./-]{0,24}|[0-9]{1,3}(?:st|nd|rd|th|ST|ND|RD|TH)|of|the|de|du|di|la|le|des|van|von)"
_ENGLISH = re.compile(
    rf"{_LEAD} (?:{_CAPITAL} ){{1,4}}?(?:{_TITLED})\b\.?(?: (?:[NSEW]|North|South|East|West|NE|NW|SE|SW)\b)?"
    rf"(?:(?: {_NAME}){{0,2}}?(?i:{_UNIT}))?{_TAIL}?"
)
_WITH_UNIT = re.compile(
    rf"(?:{_LEAD} (?:{_NAME} ){{0,4}}?{_NAME}(?: [0-9]{{1,5}}[A-Za-z]?\.?)?|(?<!\w){_NAME}(?: {_NAME}){{0,3}}? [0-9]{{1,5}}){_UNIT}{_TAIL}?",
    re.IGNORECASE,
)
_SAID = re.compile(
    rf"(?:address(?:es)?(?: is| to| with| of|[:：])|address here|lives? (?:at|on)|living at|located at|office is at|resid(?:es?|ing) at|sent to"
    rf"|(?:ship|deliver|send) (?:it|them|this) to)\s{{1,6}}(?P<address>{_LEAD} (?:{_NAME} ){{0,4}}?{_NAME}(?: [0-9]{{1,5}}[A-Za-z]?\b)?{_UNIT}?{_TAIL}?)",
    re.IGNORECASE,
)
_BOX = re.compile(
    r"\b(?:P\.? ?O\.? ?Box|post office box|private bag|G\.?P\.?O\.? ?Box) [0-9]{1,7}\b"
    r"|\b(?:PSC|Unit|CMR) [0-9]{1,5},? Box [0-9]{1,5}(?:,?\s{1,3}[AFD]PO,? A[AEP] [0-9]{5}(?:-[0-9]{4})?)?",
    re.IGNORECASE,
)
_POSTCODE = re.compile(
    r"(?:\bzip(?:[ -]?code)?|\bpost(?:al)?[ -]?code|\bplz|邮编|邮政编码|郵遞區號)(?: (?:is|was|of))?[\s:：#]{0,3}(?:是|为)?"
    r"(?P<code>[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}|[0-9]{3,6}(?:[- ][0-9A-Z]{2,4})?)(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_LEADS = re.compile(r"[0-9][A-Za-z]? (?:[^\W\d_a-z]|[0-9]{1,5} [^\W\d_a-z]|of|the|de|du|di|la|le|des|van|von)")
_UNITS = re.compile(r"(?:apt|apartment|suite|ste|unit|flat|floor|room|bldg)\.? ?#?[a-z]?[0-9]")
_SAID_WORDS = ("address", "live", "living at", "located at", "office is", "resid", "sent to", "ship", "deliver", "send")


def addresses(text: str) -> Iterator[Found]:
    """Addresses down to a house number or a box; a town alone is no address (a model finds places)."""
    if not text.isascii():
        yield from _chinese(text)
    lower = text.lower()
    if _LEADS.search(text) is not None:
        yield from ((*match.span(), 0.8) for match in _ENGLISH.finditer(text))
    if _UNITS.search(lower) is not None:
        yield from ((*match.span(), 0.82) for match in _WITH_UNIT.finditer(text))
    if any(word in lower for word in _SAID_WORDS):
        yield from ((*match.span("address"), 0.7) for match in _SAID.finditer(text))
    if "box" in lower or "bag" in lower:
        yield from ((*match.span(), 0.9) for match in _BOX.finditer(text))
    if any(word in lower for word in ("zip", "post", "plz", "邮", "郵")):
        yield from ((*match.span("code"), 0.85) for match in _POSTCODE.finditer(text))


def _chinese(text: str) -> Iterator[Found]:
    """From the province or the city on; without them only after a word that speaks of an address."""
    if _PLACES.search(text) is None:
        return
    end = 0
    for begin in _BEGINS.finditer(text):
        match = _CHINESE.match(text, begin.start()) if begin.start() >= end else None
        if match:
            end = match.end()
            yield *match.span(), 0.9
    if any(word in text for word in ("址", "住", "位于", "寄", "送", "搬")):
        yield from ((*match.span("address"), 0.75) for match in _LOOSE.finditer(text))
