from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateVideoRequest(_message.Message):
    __slots__ = ("model", "prompt", "duration", "aspect_ratio")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    ASPECT_RATIO_FIELD_NUMBER: _ClassVar[int]
    model: _struct_pb2.Value
    prompt: _struct_pb2.Value
    duration: _struct_pb2.Value
    aspect_ratio: _struct_pb2.Value
    def __init__(self, model: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., prompt: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., duration: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., aspect_ratio: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class GetVideoRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class VideoJob(_message.Message):
    __slots__ = ("id", "object", "status", "model", "prompt", "video_url", "duration", "error", "created", "completed")
    ID_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    VIDEO_URL_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    id: str
    object: str
    status: str
    model: str
    prompt: str
    video_url: _struct_pb2.Value
    duration: int
    error: _struct_pb2.Value
    created: int
    completed: _struct_pb2.Value
    def __init__(self, id: _Optional[str] = ..., object: _Optional[str] = ..., status: _Optional[str] = ..., model: _Optional[str] = ..., prompt: _Optional[str] = ..., video_url: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., duration: _Optional[int] = ..., error: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., created: _Optional[int] = ..., completed: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("object", "data")
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    object: str
    data: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, object: _Optional[str] = ..., data: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("id", "object", "kind", "owned_by", "pricing", "default_duration", "max_duration", "aspect_ratios")
    ID_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    OWNED_BY_FIELD_NUMBER: _ClassVar[int]
    PRICING_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_DURATION_FIELD_NUMBER: _ClassVar[int]
    MAX_DURATION_FIELD_NUMBER: _ClassVar[int]
    ASPECT_RATIOS_FIELD_NUMBER: _ClassVar[int]
    id: str
    object: str
    kind: str
    owned_by: str
    pricing: ModelPricing
    default_duration: int
    max_duration: int
    aspect_ratios: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., object: _Optional[str] = ..., kind: _Optional[str] = ..., owned_by: _Optional[str] = ..., pricing: _Optional[_Union[ModelPricing, _Mapping]] = ..., default_duration: _Optional[int] = ..., max_duration: _Optional[int] = ..., aspect_ratios: _Optional[_Iterable[str]] = ...) -> None: ...

class ModelPricing(_message.Message):
    __slots__ = ("per_second_usd",)
    PER_SECOND_USD_FIELD_NUMBER: _ClassVar[int]
    per_second_usd: float
    def __init__(self, per_second_usd: _Optional[float] = ...) -> None: ...
