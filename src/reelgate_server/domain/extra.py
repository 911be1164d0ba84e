"""Which extra parameters a customer may send along to a provider.

Theory of operation
===================

Extra parameters reach the provider as they are, so that its newest ones can be used on the day they appear. Refused are
names that would change what a job costs, whose it is, or where it goes: they are known, and in the table below, in
every spelling that the documentation of a provider, or of a server that imitates one, gives them. Names are compared
without case, `_` and `-`, so that `durationSeconds` is `duration_seconds`; what follows a `[` is left out, because
forms write lists and members as `image[]` and `image[url]`. A container that providers spread out is refused as a
whole, so that no name hides in it. Every other name passes.

Passing, although one might wonder: addresses of last frames, of references other than the first frame and of sound
tracks (the provider fetches them, and they cost nothing more), seeds, guidance, negative prompts, prompt rewriting, the
strictness of filters, watermarks, and how the result is compressed.

Sources: the parameters of fal, Vertex AI and MiniMax in the documents that their adapters name; the requests of SGLang
0.5.23, vLLM-Omni 0.30 and LiteLLM 1.109, and the OpenAI video API; read 2026-11-20.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from reelgate_server.domain.errors import FieldViolation

EXTRA_BYTES_MAX = 16_384
"""Size of `extra` as JSON. No provider parameter we pass on comes near it."""
NAME_CHARACTERS_MAX = 100
"""Of a refused name, what is told of it."""
REFUSED_COUNT_MAX = 16
"""Refused names that are told at once. An error travels in headers, of which peers accept about 8 kB."""

_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""U+0000 as JSON writes it; after an even number of backslashes, because `\\\\u0000` is a backslash and plain text."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Names that are refused alike."""

    instead: str
    """What to do about it. Where it says "use" a field, the field has its native name, which dialects translate."""
    names: str
    """Normalised, between spaces."""


REFUSALS: Final = (
    # Price: the length. Frames and their rate make it too, where a model counts in frames.
    Refusal(
        "use `clip_duration`",
        "duration durations durationseconds durationms clipduration videoduration videolength length seconds"
        " numseconds videoseconds frames numframes framecount framenum videoframes fps framerate framespersecond"
        " targetfps maxchunks",
    ),
    # Price: pixels, whether rendered or added afterwards, and tiers of quality.
    Refusal(
        "use `resolution`",
        "resolution videoresolution outputresolution targetresolution size videosize outputsize imagesize width height"
        " shortedge dimensions megapixels quality videoquality upscale upscaler upscaling upscalefactor upscalemode"
        " enableupscale enableupscaling upscalingscale superresolution",
    ),
    # It is a field, and some models have no such parameter or other values for it.
    Refusal("use `aspect_ratio`", "aspectratio ratio orientation"),
    # Price: sound. A model with sound is another row of the catalogue. Voices have a rate of their own [unconfirmed].
    Refusal(
        "the model decides about sound",
        "audio generateaudio enableaudio withaudio hasaudio audioenabled sound generatesound enablesound withsound"
        " soundduration voices voiceids voicelist",
    ),
    # Price: a job is one video, and is charged as one.
    Refusal(
        "a job is one video",
        "n count batch batchsize batchcount samplecount numsamples numvideos numberofvideos videocount"
        " numvideosperprompt numoutputs numberofoutputs numoutputsperprompt outputcount numresults numgenerations"
        " numimages",
    ),
    # Price: another model, other weights, or another class of service.
    Refusal(
        "use `model`",
        "model modelid modelname modelversion modelpath upscalingmodelpath frameinterpolationmodelpath lora loras"
        " lorapath engine checkpoint endpoint fallbacks",
    ),
    # Price: a place in the queue that is paid for, and a gateway that sends an order again by itself.
    Refusal("it changes the price", "servicetier priority queuepriority numretries maxretries"),
    # Price: further prompts bring lengths of their own.
    Refusal("use `prompt`", "prompt prompts multiprompt multiprompts shots scenes"),
    # Price: an image switches to another endpoint. Addresses are checked before they are passed on.
    Refusal(
        "use `image_url`",
        "image images imageurl imageurls imageuri imagepath imagebase64 imagereference imagereferences startimage"
        " startimageurl startframe startframeurl firstframe firstframeurl firstframeimage firstframeimageurl inputimage"
        " inputimageurl inputimages inputreference initimage initimageurl sourceimage sourceimageurl imageprompt"
        " fileid referenceurl conditioninputs keyframes",
    ),
    # Price: editing and extending cost by the length of what is put in. A path would be one of the provider's machine.
    Refusal(
        "a video cannot be put in",
        "video videos videourl videourls videouri videopath videoreference inputvideo inputvideourl sourcevideo"
        " sourcevideourl remixvideoid remixedfromvideoid videoid",
    ),
    # Destination: who is told, and where the result is put. A result within the answer would not be found.
    Refusal(
        "this service keeps the result and tells of it",
        "falwebhook notifyhook notifyurl notificationurl pubsubtopic gcsuri outputgcsuri outputuri outputurl outputpath"
        " outputdir outputdirectory outputfile outputfilename outputstorage savepath saveoutput filepath perfdumppath"
        " destination bucket syncmode responseformat stream",
    ),
    # Identity and credentials, and the server that a gateway would ask. They are the operator's.
    Refusal(
        "it is for the operator to set",
        "user userid username endusername enduser enduserid customerid accountid groupid organization organizationid"
        " project projectid safetyidentifier labels tags metadata usermetadata key apikey falkey token"
        " accesstoken apitoken secret auth authorization credentials headers extraheaders extraquery apibase apitype"
        " apiversion baseurl provider customllmprovider mockresponse idempotencykey requestid",
    ),
    # Containers that a provider, a server or an SDK spreads out.
    Refusal(
        "name its members in `extra` itself",
        "extra extrabody extraparams extraparameters extrajson extraargs parameters params videoparams kwargs"
        " diffuserskwargs additionalparams provideroptions instance instances input inputs content contents body"
        " payload request config generationconfig allowedopenaiparams",
    ),
)
REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {name: refusal.instead for refusal in REFUSALS for name in refusal.names.split()}
)
"""What to do instead, by normalised name."""
REFUSED_BEGINNINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("webhook", "callback", "storage", "upload", "pubsub"), REFUSED["destination"]),
        "litellm": REFUSED["apibase"],
    }
)
"""The same by how a normalised name begins, for families with too many members to list."""


def normalize(name: str) -> str:
    """Strip from a parameter's name what providers do not distinguish."""
    return name.partition("[")[0].casefold().replace("_", "").replace("-", "")


def extra_violations(extra: Mapping[str, Any]) -> Iterator[FieldViolation]:
    """What is wrong with extra parameters, in the order of their names; at most `REFUSED_COUNT_MAX` of these."""
    try:
        text = json.dumps(extra, ensure_ascii=True, allow_nan=False)
    except ValueError:
        # A protobuf Struct can carry NaN and infinities; JSON cannot, and NaN would differ from itself in a replay.
        yield FieldViolation("extra", "must not contain numbers that are not finite")
        return
    if len(text) > EXTRA_BYTES_MAX:
        yield FieldViolation("extra", f"must be at most {EXTRA_BYTES_MAX} bytes of JSON")
    elif _ESCAPED_NUL.search(text):
        yield FieldViolation("extra", "must not contain the character U+0000")
    else:
        # A parsed JSON object keeps no order that could be relied on.
        refused = [(name, instead) for name in sorted(extra) if (instead := _instead(name)) is not None]
        for name, instead in refused[:REFUSED_COUNT_MAX]:
            yield FieldViolation(f"extra.{_shown(name)}", f"must not be set here: {instead}")


def _instead(name: str) -> str | None:
    """What to do instead of sending a parameter; None if it may be sent."""
    normalized = normalize(name)
    begun = (instead for beginning, instead in REFUSED_BEGINNINGS.items() if normalized.startswith(beginning))
    return REFUSED.get(normalized) or next(begun, None)


def _shown(name: str) -> str:
    """A name as it was sent, in as many bytes as characters."""
    return name.encode("ascii", "backslashreplace").decode("ascii")[:NAME_CHARACTERS_MAX]
