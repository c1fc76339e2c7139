"""Text that compresses like people's: English by rank, numbers and names in it, Chinese, Arabic.

A pool is made once; a message is a slice of it, so that a fresh text costs a copy.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

COMMON_WORD: Final = "weather"
RARE_WORD: Final = "quixotry"
ABSENT_WORD: Final = "xylophonist"
CHINESE_WORD: Final = "退款"
ARABIC_WORD: Final = "الحقيبة"

_STEMS: Final = """
the of to a your is for I and you flight in it on that we this with be my have not are can please
would refund reservation cabin passenger payment seat check date economy card certificate change
cancel user business airport bag insurance policy travel name gold silver member price total confirm
like help need know number morning evening order customer account shipping delay invoice address
status parcel item discount code decline retry warehouse stock size colour exchange return label
email phone tomorrow yesterday allow day within original packaging receipt thank sorry inconvenience
let look into basic direct onestop available option depart arrive connect leave cost dollar method
credit gift balance charge proceed eligible book provide detail current request agent transfer human
time long wait ticket office family birth medical weather airline reason cover only after before
because however unfortunately include offer compensate complain segment round trip one way return
""".split()
_ENDINGS: Final = ("", "s", "ed", "ing")
_CHINESE: Final = (
    "您好 请问 我的 订单 退款 航班 改签 明天 行李 会员 已经 取消 可以 帮助 信用卡 付款 "
    "时间 座位 乘客 确认 抱歉 谢谢 政策 保险 价格 地址 电话 机场 延误 补偿"
).split()
_ARABIC: Final = (
    "مرحبا الطلب استرداد الرحلة غدا الحقيبة العضو تم إلغاء يمكن مساعدة بطاقة الدفع الوقت المقعد "
    "المسافر تأكيد عذرا شكرا سياسة التأمين السعر العنوان الهاتف المطار تأخير تعويض"
).split()
# With these a text of 3 KB compresses to 0.42 of its size by zstd's level 1; the recorded
# conversations do to 0.41.
_NUMBER_SHARE: Final = 0.13
_PHRASE_SHARE: Final = 0.10
_PHRASES: Final = 400


@dataclass(frozen=True, slots=True)
class Pool:
    """UTF-8 text to take slices of. `single` is True where each character is one byte."""

    text: bytes
    single: bool

    def take(self, offset: int, size_bytes: int) -> bytes:
        """Exactly `size_bytes` of text that is valid by itself."""
        start = offset % (len(self.text) - size_bytes)
        piece = self.text[start : start + size_bytes]
        if self.single:
            return piece
        whole = piece.decode(errors="ignore").encode()
        return whole + b" " * (size_bytes - len(whole))


def make_pools(chooser: random.Random, size_bytes: int = 4_000_000) -> dict[str, Pool]:
    """Pools by language: en, zh, ar. The latter two are an eighth of the size."""
    return {
        "en": Pool(_english(chooser, size_bytes).encode(), single=True),
        "zh": Pool(_foreign(chooser, _CHINESE, "", size_bytes // 8), single=False),
        "ar": Pool(_foreign(chooser, _ARABIC, " ", size_bytes // 8), single=False),
    }


def _english(chooser: random.Random, size_bytes: int) -> str:
    words = [stem + ending for ending in _ENDINGS for stem in _STEMS]
    # A word's frequency falls with its rank, as in people's language.
    weights = list(accumulate(1 / (rank + 3) for rank in range(len(words))))
    phrases = [
        " ".join(chooser.choices(words, cum_weights=weights, k=chooser.randint(4, 12)))
        for _ in range(_PHRASES)
    ]
    said: list[str] = []
    length = 0
    while length < size_bytes:
        draw = chooser.random()
        if draw < _NUMBER_SHARE:
            piece = f"{chooser.choice(words)[:3].upper()}{chooser.randrange(10**5)}"
        elif draw < _NUMBER_SHARE + _PHRASE_SHARE:
            # Few phrases are said over and over, many now and then.
            piece = phrases[int(chooser.paretovariate(0.5)) % _PHRASES] + "."
        else:
            piece = chooser.choices(words, cum_weights=weights)[0]
        said.append(piece)
        length += len(piece) + 1
    return " ".join(said)


def _foreign(chooser: random.Random, words: Sequence[str], between: str, size_bytes: int) -> bytes:
    chosen: list[str] = []
    length = 0
    while length < size_bytes:
        word = chooser.choice(words)
        if chooser.random() < _NUMBER_SHARE:
            word += str(chooser.randrange(10**4)) + between
        chosen.append(word)
        length += len(word.encode())
    return between.join(chosen).encode()
