# For the type checker. The library's own file imports every model family, 2,000 of the 5,500 files that the checker
# read, at 40 % of its time. The classes that this project names are still the library's; every other name is anything.
from typing import Any

from transformers.configuration_utils import PretrainedConfig as PretrainedConfig
from transformers.modeling_utils import PreTrainedModel as PreTrainedModel
from transformers.tokenization_utils_base import PreTrainedTokenizerBase as PreTrainedTokenizerBase
from transformers.tokenization_utils_tokenizers import PreTrainedTokenizerFast as PreTrainedTokenizerFast
from transformers.utils.quantization_config import BitsAndBytesConfig as BitsAndBytesConfig

def __getattr__(name: str) -> Any: ...
