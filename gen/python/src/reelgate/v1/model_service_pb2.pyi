import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ImageInput(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IMAGE_INPUT_UNSPECIFIED: _ClassVar[ImageInput]
    IMAGE_INPUT_NONE: _ClassVar[ImageInput]
    IMAGE_INPUT_OPTIONAL: _ClassVar[ImageInput]
    IMAGE_INPUT_REQUIRED: _ClassVar[ImageInput]

class Availability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AVAILABILITY_UNSPECIFIED: _ClassVar[Availability]
    AVAILABILITY_AVAILABLE: _ClassVar[Availability]
    AVAILABILITY_SIMULATED: _ClassVar[Availability]
    AVAILABILITY_UNAVAILABLE: _ClassVar[Availability]
IMAGE_INPUT_UNSPECIFIED: ImageInput
IMAGE_INPUT_NONE: ImageInput
IMAGE_INPUT_OPTIONAL: ImageInput
IMAGE_INPUT_REQUIRED: ImageInput
AVAILABILITY_UNSPECIFIED: Availability
AVAILABILITY_AVAILABLE: Availability
AVAILABILITY_SIMULATED: Availability
AVAILABILITY_UNAVAILABLE: Availability

class Model(_message.Message):
    __slots__ = ("model", "display_name", "provider", "clip_durations", "default_clip_duration", "aspect_ratios", "resolutions", "audio", "image_input", "price_per_second_micros", "currency", "availability")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    CLIP_DURATIONS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_CLIP_DURATION_FIELD_NUMBER: _ClassVar[int]
    ASPECT_RATIOS_FIELD_NUMBER: _ClassVar[int]
    RESOLUTIONS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    IMAGE_INPUT_FIELD_NUMBER: _ClassVar[int]
    PRICE_PER_SECOND_MICROS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    AVAILABILITY_FIELD_NUMBER: _ClassVar[int]
    model: str
    display_name: str
    provider: str
    clip_durations: _containers.RepeatedCompositeFieldContainer[_duration_pb2.Duration]
    default_clip_duration: _duration_pb2.Duration
    aspect_ratios: _containers.RepeatedScalarFieldContainer[str]
    resolutions: _containers.RepeatedScalarFieldContainer[str]
    audio: bool
    image_input: ImageInput
    price_per_second_micros: int
    currency: str
    availability: Availability
    def __init__(self, model: _Optional[str] = ..., display_name: _Optional[str] = ..., provider: _Optional[str] = ..., clip_durations: _Optional[_Iterable[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]]] = ..., default_clip_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., aspect_ratios: _Optional[_Iterable[str]] = ..., resolutions: _Optional[_Iterable[str]] = ..., audio: _Optional[bool] = ..., image_input: _Optional[_Union[ImageInput, str]] = ..., price_per_second_micros: _Optional[int] = ..., currency: _Optional[str] = ..., availability: _Optional[_Union[Availability, str]] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class EstimateCostRequest(_message.Message):
    __slots__ = ("model", "clip_duration")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CLIP_DURATION_FIELD_NUMBER: _ClassVar[int]
    model: str
    clip_duration: _duration_pb2.Duration
    def __init__(self, model: _Optional[str] = ..., clip_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class EstimateCostResponse(_message.Message):
    __slots__ = ("price_micros", "currency", "clip_duration", "render_duration", "affordable")
    PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    CLIP_DURATION_FIELD_NUMBER: _ClassVar[int]
    RENDER_DURATION_FIELD_NUMBER: _ClassVar[int]
    AFFORDABLE_FIELD_NUMBER: _ClassVar[int]
    price_micros: int
    currency: str
    clip_duration: _duration_pb2.Duration
    render_duration: _duration_pb2.Duration
    affordable: bool
    def __init__(self, price_micros: _Optional[int] = ..., currency: _Optional[str] = ..., clip_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., render_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., affordable: _Optional[bool] = ...) -> None: ...
