from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateVideoRequest(_message.Message):
    __slots__ = ("model", "prompt", "duration", "image_url", "idempotency_key", "extra")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    IMAGE_URL_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    EXTRA_FIELD_NUMBER: _ClassVar[int]
    model: _struct_pb2.Value
    prompt: _struct_pb2.Value
    duration: _struct_pb2.Value
    image_url: _struct_pb2.Value
    idempotency_key: _struct_pb2.Value
    extra: _struct_pb2.Value
    def __init__(self, model: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., prompt: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., duration: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., image_url: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., idempotency_key: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., extra: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class GetJobRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class VideoJob(_message.Message):
    __slots__ = ("id", "object", "status", "model", "created_at", "completed_at", "output", "error", "estimated_cost", "charged_amount")
    ID_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_AT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_COST_FIELD_NUMBER: _ClassVar[int]
    CHARGED_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    id: str
    object: str
    status: str
    model: str
    created_at: str
    completed_at: _struct_pb2.Value
    output: _struct_pb2.Value
    error: _struct_pb2.Value
    estimated_cost: float
    charged_amount: _struct_pb2.Value
    def __init__(self, id: _Optional[str] = ..., object: _Optional[str] = ..., status: _Optional[str] = ..., model: _Optional[str] = ..., created_at: _Optional[str] = ..., completed_at: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., output: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., error: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., estimated_cost: _Optional[float] = ..., charged_amount: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

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
    __slots__ = ("id", "object", "name")
    ID_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    id: str
    object: str
    name: str
    def __init__(self, id: _Optional[str] = ..., object: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class GetPricingRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPricingResponse(_message.Message):
    __slots__ = ("object", "text_count", "media_count", "text", "media")
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    TEXT_COUNT_FIELD_NUMBER: _ClassVar[int]
    MEDIA_COUNT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    object: str
    text_count: int
    media_count: int
    text: _containers.RepeatedCompositeFieldContainer[_struct_pb2.Struct]
    media: _containers.RepeatedCompositeFieldContainer[MediaPrice]
    def __init__(self, object: _Optional[str] = ..., text_count: _Optional[int] = ..., media_count: _Optional[int] = ..., text: _Optional[_Iterable[_Union[_struct_pb2.Struct, _Mapping]]] = ..., media: _Optional[_Iterable[_Union[MediaPrice, _Mapping]]] = ...) -> None: ...

class MediaPrice(_message.Message):
    __slots__ = ("id", "name", "modality", "pricing_mode", "usd_per_call", "detail")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    PRICING_MODE_FIELD_NUMBER: _ClassVar[int]
    USD_PER_CALL_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    modality: str
    pricing_mode: str
    usd_per_call: float
    detail: MediaPriceDetail
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., modality: _Optional[str] = ..., pricing_mode: _Optional[str] = ..., usd_per_call: _Optional[float] = ..., detail: _Optional[_Union[MediaPriceDetail, _Mapping]] = ...) -> None: ...

class MediaPriceDetail(_message.Message):
    __slots__ = ("provider_cost_per_sec", "min_duration_sec", "max_duration_sec", "allowed_durations")
    PROVIDER_COST_PER_SEC_FIELD_NUMBER: _ClassVar[int]
    MIN_DURATION_SEC_FIELD_NUMBER: _ClassVar[int]
    MAX_DURATION_SEC_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_DURATIONS_FIELD_NUMBER: _ClassVar[int]
    provider_cost_per_sec: float
    min_duration_sec: int
    max_duration_sec: int
    allowed_durations: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, provider_cost_per_sec: _Optional[float] = ..., min_duration_sec: _Optional[int] = ..., max_duration_sec: _Optional[int] = ..., allowed_durations: _Optional[_Iterable[int]] = ...) -> None: ...

class ListTiersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListTiersResponse(_message.Message):
    __slots__ = ("object", "tiers")
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    object: str
    tiers: _containers.RepeatedCompositeFieldContainer[Tier]
    def __init__(self, object: _Optional[str] = ..., tiers: _Optional[_Iterable[_Union[Tier, _Mapping]]] = ...) -> None: ...

class Tier(_message.Message):
    __slots__ = ("tier", "name", "min_deposit", "rpm", "per_model_rpm", "tpm", "max_single_request", "image_concurrent", "image_queue_depth_cap", "video_concurrent", "video_queue_depth_cap", "audio_concurrent", "audio_concurrent_per_provider", "combined_media_concurrent", "combined_queue_depth_cap")
    TIER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MIN_DEPOSIT_FIELD_NUMBER: _ClassVar[int]
    RPM_FIELD_NUMBER: _ClassVar[int]
    PER_MODEL_RPM_FIELD_NUMBER: _ClassVar[int]
    TPM_FIELD_NUMBER: _ClassVar[int]
    MAX_SINGLE_REQUEST_FIELD_NUMBER: _ClassVar[int]
    IMAGE_CONCURRENT_FIELD_NUMBER: _ClassVar[int]
    IMAGE_QUEUE_DEPTH_CAP_FIELD_NUMBER: _ClassVar[int]
    VIDEO_CONCURRENT_FIELD_NUMBER: _ClassVar[int]
    VIDEO_QUEUE_DEPTH_CAP_FIELD_NUMBER: _ClassVar[int]
    AUDIO_CONCURRENT_FIELD_NUMBER: _ClassVar[int]
    AUDIO_CONCURRENT_PER_PROVIDER_FIELD_NUMBER: _ClassVar[int]
    COMBINED_MEDIA_CONCURRENT_FIELD_NUMBER: _ClassVar[int]
    COMBINED_QUEUE_DEPTH_CAP_FIELD_NUMBER: _ClassVar[int]
    tier: int
    name: str
    min_deposit: int
    rpm: int
    per_model_rpm: int
    tpm: int
    max_single_request: int
    image_concurrent: int
    image_queue_depth_cap: int
    video_concurrent: int
    video_queue_depth_cap: int
    audio_concurrent: int
    audio_concurrent_per_provider: _struct_pb2.Struct
    combined_media_concurrent: int
    combined_queue_depth_cap: int
    def __init__(self, tier: _Optional[int] = ..., name: _Optional[str] = ..., min_deposit: _Optional[int] = ..., rpm: _Optional[int] = ..., per_model_rpm: _Optional[int] = ..., tpm: _Optional[int] = ..., max_single_request: _Optional[int] = ..., image_concurrent: _Optional[int] = ..., image_queue_depth_cap: _Optional[int] = ..., video_concurrent: _Optional[int] = ..., video_queue_depth_cap: _Optional[int] = ..., audio_concurrent: _Optional[int] = ..., audio_concurrent_per_provider: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., combined_media_concurrent: _Optional[int] = ..., combined_queue_depth_cap: _Optional[int] = ...) -> None: ...

class GetBalanceRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetBalanceResponse(_message.Message):
    __slots__ = ("balance", "low_balance", "held")
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    LOW_BALANCE_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    balance: float
    low_balance: bool
    held: float
    def __init__(self, balance: _Optional[float] = ..., low_balance: _Optional[bool] = ..., held: _Optional[float] = ...) -> None: ...
