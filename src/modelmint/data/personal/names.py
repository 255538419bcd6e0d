"""Made-up names of people, places, firms and streets, for stand-ins. Each English one serves as a first and a last name,
so that a word of a name keeps its stand-in wherever it stands."""


def _words(*lines: str) -> tuple[str, ...]:
    return tuple(word for line in lines for word in line.split())


ENGLISH = _words(
    "Adair Alden Ames Archer Arden Ashby Aubrey Auden Avery Bailey Barlow Beck Bellamy Bennett Blair Blake Bowen Brady",
    "Brennan Briar Brooks Bryce Cameron Carey Carlin Carson Casey Cassidy Chandler Clancy Clay Cody Colby Cole Corey",
    "Crosby Curtis Dale Dallas Darby Darcy Daryl Dawson Delaney Dell Denver Devlin Drew Duncan Easton Eden Ellery Ellis",
    "Ellison Emery Emerson Ennis Evans Everett Fallon Farley Finley Fletcher Flynn Forrest Francis Gale Garland Garnet",
    "Glenn Graham Grant Greer Grey Hadley Harley Harper Hartley Haven Hayden Hollis Hunter Indigo Ives Jamie Jensen",
    "Jocelyn Jordan Jules Keaton Keegan Keeley Kelby Kendall Kennedy Kerry Kimball Kingsley Kirby Lacey Landon Lane",
    "Larkin Leighton Leith Lennox Leslie Linden Logan London Lyndon Mackenzie Maddox Marley Marlow Mason Merritt Mercer",
    "Miller Monroe Morgan Murphy Nevin Noble Nolan Oakley Palmer Parker Paxton Payton Perry Peyton Phoenix Porter",
    "Presley Preston Quinn Raleigh Ramsey Randall Reagan Reed Reese Remy Riley Ripley Robin Rory Rowan Royce Rylan",
    "Sawyer Selby Shannon Shaw Shea Shelby Sheridan Sidney Skyler Sloane Spencer Sterling Stevie Sutton Tatum Taylor",
    "Temple Terry Tobin Torrey Tracy Tristan Tyler Vaughn Wallace Warren Wesley Weston Whitley Wilder Winslow Wynn",
)
SURNAMES = tuple("赵钱孙李周吴郑王冯陈卫蒋沈韩杨朱秦许何吕施张孔曹严华金魏陶姜谢邹苏潘葛范彭鲁韦马苗方任袁柳史唐薛雷贺倪汤罗郝安常于傅齐康余顾孟黄萧尹姚邵汪毛米戴宋庞熊纪舒项董梁杜阮蓝席季贾江童颜郭梅林钟徐邱骆高夏蔡田樊胡万管卢莫房丁邓洪包左石崔龚程陆翁荀段侯宁甘武刘龙叶白蒲乔翟谭姬申冉桑桂牛边尚温庄柴瞿阎连习古")  # fmt: skip
COMPOUND_SURNAMES = (
    "欧阳",
    "司马",
    "上官",
    "诸葛",
    "东方",
    "皇甫",
    "尉迟",
    "公孙",
    "慕容",
    "令狐",
    "宇文",
    "长孙",
    "司徒",
    "夏侯",
    "端木",
    "南宫",
)
GIVEN = tuple("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红梅文辉建国志远浩然子轩雨涵一诺思梓宇晨欣怡佳琪嘉俊博瑞雪琳凯晓东南晴云飞鹏程海波春燕秋月冬青松柏林峰岩川溪泽润安宁康乐和悦心语诗书画棋琴若曦景行知言希圣")  # fmt: skip
TOWNS = _words(
    "Ashbourne Barrowdale Birchfield Bramwell Briarton Castlemere Cedarvale Claymoor Coldbrook Cranford Dunmere Eastwick",
    "Elmstead Fairholt Fernley Foxhollow Glenhaven Greyfield Harrowgate Hazelmere Highmoor Hollowbrook Ivybridge",
    "Kestrelton Kingsmere Larkfield Longmere Maplewick Marlbrook Millhaven Moorcroft Northwick Oakhollow Otterby",
    "Pinehurst Queensbury Ravenholt Redcliffe Riverton Rosewick Saltmarsh Silverdale Stonebridge Sunmere Thornbury",
    "Underhill Westerley Whitcombe Willowmere Wolfdale Yarrowby",
)
CHINESE_TOWNS = _words("青禾 云溪 临泽 松岭 白鹭 清源 望川 石桥 梅岗 竹湾 柳塘 枫林 雁栖 月湖 星河 兰亭 碧水 银杏 桃源 秋水 晨曦 朝霞 南屏 北苑 东篱 西岭 凤鸣 龙泉 鹿鸣 鹤洲 荷塘 莲花 翠微 紫竹 丹霞 金沙 玉泉 长亭 古渡 新桥")  # fmt: skip
FIRMS = ("Ltd", "Group", "Partners", "Systems", "Holdings", "Works", "Labs", "Logistics", "Foods", "Consulting")
CHINESE_FIRMS = ("科技有限公司", "贸易有限公司", "实业有限公司", "咨询有限公司", "物流有限公司", "集团")
STREETS = ("Street", "Road", "Avenue", "Lane", "Close", "Drive")
"""Kinds of streets."""
PARTICLES = frozenset(
    _words(
        "de del della der den di da dos du la le van von bin al el ter ten y e mr mrs ms miss dr prof sir madam jr sr ii iii iv"
    )
)
"""Words of a name that are kept: they tell nobody apart."""
TITLES = ("先生", "女士", "小姐", "老师", "医生", "经理", "主任", "教授", "总")
PLATE_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
