"""What is known of licences: whether a model trained on something under one may be sold, and what is owed for it.

The reading is the cautious one: a duty on copies of the data is taken for a duty on the model. Identifiers are those of
the SPDX licence list (spdx.org/licenses), and beside them the names that model and dataset hubs use.
"""

from dataclasses import dataclass
from typing import Literal

Sale = Literal["yes", "conditions", "unknown", "no"]

CREDIT = "attribution: name the authors, the source and the licence in the model card"
NOTICE = "notice: pass the copyright notice and the licence text on"
CHANGES = "changes: say what was changed"
SHARE_ALIKE = "share-alike: what is derived is passed on under the same licence, which may take in the model"
SOURCE = "source: offer the source of what is derived under the same licence"
USES = "use restrictions: bind your customers to the licence's list of forbidden uses"
TERMS = "terms: pass the licence's terms on to your customers"
BUILT_WITH_LLAMA = 'name: show "Built with Llama", and begin the model\'s name with "Llama"'
LLAMA_SIZE = "size: beyond 700 million monthly users ask the licensor"
QWEN_SIZE = "size: beyond 100 million monthly users ask the licensor"


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Licences that answer alike."""

    may_be_sold: Sale
    why: str
    names: str
    """Separated by white space."""
    obligations: tuple[str, ...] = ()


GROUPS = (
    Group(may_be_sold="yes", why="it asks for nothing: the rights were given up, or all uses are allowed",
          names="CC0-1.0 Unlicense PDDL-1.0 0BSD WTFPL MIT-0 CC-PDDC CC-PDM-1.0 DL-DE-ZERO-2.0 LicenseRef-Public-Domain"),
    Group(may_be_sold="yes", why="it is stated to be your own: you hold the rights", names="LicenseRef-Own"),
    Group(may_be_sold="conditions", why="selling is allowed where the notice is passed on", obligations=(NOTICE,),
          names="MIT BSD-2-Clause BSD-3-Clause BSD-3-Clause-Clear BSD-4-Clause ISC Apache-2.0 Apache-1.1 Zlib BSL-1.0 "
                "AFL-3.0 ECL-2.0 MS-PL NCSA PostgreSQL UPL-1.0 BlueOak-1.0.0 MulanPSL-1.0 MulanPSL-2.0 PSF-2.0 "
                "Python-2.0 W3C X11 CDLA-Permissive-1.0 CDLA-Permissive-2.0 OFL-1.1 Artistic-2.0 LicenseRef-BSD"),
    Group(may_be_sold="conditions", why="selling is allowed where the source is credited",
          obligations=(CREDIT, CHANGES),
          names="CC-BY-1.0 CC-BY-2.0 CC-BY-2.5 CC-BY-3.0 CC-BY-3.0-US CC-BY-4.0 ODC-By-1.0 OGL-UK-1.0 OGL-UK-2.0 "
                "OGL-UK-3.0 OGL-Canada-2.0 etalab-2.0 NLOD-1.0 NLOD-2.0 DL-DE-BY-2.0 C-UDA-1.0 "
                "CC-BY-2.0-FR CC-BY-3.0-AU CC-BY-3.0-DE CC-BY-3.0-IGO"),
    Group(may_be_sold="conditions", why="selling is allowed, but what is derived stays under the same licence",
          obligations=(CREDIT, SHARE_ALIKE),
          names="CC-BY-SA-1.0 CC-BY-SA-2.0 CC-BY-SA-2.5 CC-BY-SA-3.0 CC-BY-SA-3.0-US CC-BY-SA-3.0-DE CC-BY-SA-3.0-IGO "
                "CC-BY-SA-4.0 ODbL-1.0 CDLA-Sharing-1.0 GFDL-1.1 GFDL-1.2 GFDL-1.3 GFDL-1.1-only GFDL-1.2-only "
                "GFDL-1.3-only GFDL-1.1-or-later GFDL-1.2-or-later GFDL-1.3-or-later LicenseRef-GFDL FreeArt-1.3 LAL-1.3"),
    Group(may_be_sold="conditions", why="selling is allowed, but what is derived stays free, with its source",
          obligations=(NOTICE, SOURCE),
          names="GPL-2.0 GPL-2.0-only GPL-2.0-or-later GPL-3.0 GPL-3.0-only GPL-3.0-or-later AGPL-3.0 AGPL-3.0-only "
                "AGPL-3.0-or-later LGPL-2.1 LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0 LGPL-3.0-only LGPL-3.0-or-later "
                "MPL-1.1 MPL-2.0 EPL-1.0 EPL-2.0 EUPL-1.1 EUPL-1.2 CDDL-1.0 OSL-3.0 CECILL-2.1 CECILL-C LicenseRef-GPL "
                "LicenseRef-LGPL LicenseRef-LGPL-LR"),
    Group(may_be_sold="conditions", why="selling is allowed for all uses but those that the licence lists",
          obligations=(USES, NOTICE),
          names="LicenseRef-OpenRAIL LicenseRef-OpenRAIL++ LicenseRef-CreativeML-OpenRAIL-M "
                "LicenseRef-BigScience-OpenRAIL-M LicenseRef-BigScience-BLOOM-RAIL-1.0 LicenseRef-BigCode-OpenRAIL-M"),
    Group(may_be_sold="conditions", why="selling is allowed under the Llama community licence's terms",
          obligations=(BUILT_WITH_LLAMA, NOTICE, USES, LLAMA_SIZE),
          names="LicenseRef-Llama-3 LicenseRef-Llama-3.1 LicenseRef-Llama-3.2 LicenseRef-Llama-3.3 LicenseRef-Llama-4"),
    Group(may_be_sold="conditions", why="selling is allowed under the Llama 2 community licence's terms",
          obligations=(NOTICE, USES, LLAMA_SIZE, "outputs: do not improve other language models with its answers"),
          names="LicenseRef-Llama-2"),
    Group(may_be_sold="conditions", why="selling is allowed under the Gemma terms of use",
          obligations=(TERMS, USES, NOTICE), names="LicenseRef-Gemma"),
    Group(may_be_sold="conditions", why="selling is allowed under the Qwen licence's terms",
          obligations=(NOTICE, QWEN_SIZE), names="LicenseRef-Qwen LicenseRef-Tongyi-Qianwen"),
    Group(may_be_sold="conditions", why="selling is allowed for all uses but those that the licence lists",
          obligations=(USES, NOTICE), names="LicenseRef-DeepSeek"),
    Group(may_be_sold="no", why="it allows non-commercial use only",
          names="CC-BY-NC-1.0 CC-BY-NC-2.0 CC-BY-NC-2.5 CC-BY-NC-3.0 CC-BY-NC-4.0 CC-BY-NC-SA-1.0 CC-BY-NC-SA-2.0 "
                "CC-BY-NC-SA-2.5 CC-BY-NC-SA-3.0 CC-BY-NC-SA-4.0 CC-BY-NC-ND-1.0 CC-BY-NC-ND-2.0 CC-BY-NC-ND-2.5 "
                "CC-BY-NC-ND-3.0 CC-BY-NC-ND-4.0 PolyForm-Noncommercial-1.0.0 LicenseRef-Non-Commercial "
                "LicenseRef-FAIR-Noncommercial-Research"),
    Group(may_be_sold="no", why="it allows no derivatives, and a model may be one",
          names="CC-BY-ND-1.0 CC-BY-ND-2.0 CC-BY-ND-2.5 CC-BY-ND-3.0 CC-BY-ND-4.0"),
    Group(may_be_sold="no", why="it allows research use only",
          names="LicenseRef-Research-Only LicenseRef-Qwen-Research LicenseRef-MRL LicenseRef-Apple-AMLR "
                "LicenseRef-MSR-LA LicenseRef-Intel-Research LicenseRef-LDC"),
    Group(may_be_sold="no", why="it may not be passed on, and its use is bound to an agreement",
          names="LicenseRef-No-Redistribution MNPL"),
    Group(may_be_sold="no", why="no licence was given, so all rights are reserved", names="NONE"),
    Group(may_be_sold="unknown", why="its owner decides: if that is you, state LicenseRef-Own",
          names="LicenseRef-Proprietary"),
    Group(may_be_sold="unknown", why="it is a licence of its own: read it, and state what it says",
          names="LicenseRef-Other LicenseRef-CC"),
    Group(may_be_sold="unknown", why="nobody stated a licence", names="NOASSERTION"),
)  # fmt: skip

OTHER_NAMES = {
    "unknown": "NOASSERTION",
    "unlicensed": "NONE",
    "none": "NONE",
    "other": "LicenseRef-Other",
    "cc": "LicenseRef-CC",
    "own": "LicenseRef-Own",
    "proprietary": "LicenseRef-Proprietary",
    "commercial": "LicenseRef-Proprietary",
    "public-domain": "LicenseRef-Public-Domain",
    "publicdomain": "LicenseRef-Public-Domain",
    "pddl": "PDDL-1.0",
    "odbl": "ODbL-1.0",
    "odc-by": "ODC-By-1.0",
    "c-uda": "C-UDA-1.0",
    "bsd": "LicenseRef-BSD",
    "gpl": "LicenseRef-GPL",
    "lgpl": "LicenseRef-LGPL",
    "lgpl-lr": "LicenseRef-LGPL-LR",
    "gfdl": "LicenseRef-GFDL",
    "openrail": "LicenseRef-OpenRAIL",
    "openrail-m": "LicenseRef-OpenRAIL",
    "openrail++": "LicenseRef-OpenRAIL++",
    "creativeml-openrail-m": "LicenseRef-CreativeML-OpenRAIL-M",
    "bigscience-openrail-m": "LicenseRef-BigScience-OpenRAIL-M",
    "bigscience-bloom-rail-1.0": "LicenseRef-BigScience-BLOOM-RAIL-1.0",
    "bigcode-openrail-m": "LicenseRef-BigCode-OpenRAIL-M",
    "llama2": "LicenseRef-Llama-2",
    "llama3": "LicenseRef-Llama-3",
    "llama3.1": "LicenseRef-Llama-3.1",
    "llama3.2": "LicenseRef-Llama-3.2",
    "llama3.3": "LicenseRef-Llama-3.3",
    "llama4": "LicenseRef-Llama-4",
    "gemma": "LicenseRef-Gemma",
    "qwen": "LicenseRef-Qwen",
    "tongyi-qianwen": "LicenseRef-Tongyi-Qianwen",
    "qwen-research": "LicenseRef-Qwen-Research",
    "deepseek": "LicenseRef-DeepSeek",
    "apple-amlr": "LicenseRef-Apple-AMLR",
    "mrl": "LicenseRef-MRL",
    "msr-la": "LicenseRef-MSR-LA",
    "intel-research": "LicenseRef-Intel-Research",
    "fair-noncommercial-research-license": "LicenseRef-FAIR-Noncommercial-Research",
    "research-only": "LicenseRef-Research-Only",
    "research": "LicenseRef-Research-Only",
    "non-commercial": "LicenseRef-Non-Commercial",
    "no-redistribution": "LicenseRef-No-Redistribution",
    "ldc": "LicenseRef-LDC",
}
"""What hubs and people write (in small letters) -> the identifier above."""
