from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GenerateVideoRequest(_message.Message):
    __slots__ = ("prompt", "model", "image_url", "duration", "aspect_ratio", "resolution")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_URL_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    ASPECT_RATIO_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    prompt: _struct_pb2.Value
    model: _struct_pb2.Value
    image_url: _struct_pb2.Value
    duration: _struct_pb2.Value
    aspect_ratio: _struct_pb2.Value
    resolution: _struct_pb2.Value
    def __init__(self, prompt: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., model: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., image_url: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., duration: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., aspect_ratio: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., resolution: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class GenerateVideoResponse(_message.Message):
    __slots__ = ("success", "data")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    success: bool
    data: GenerateVideoData
    def __init__(self, success: _Optional[bool] = ..., data: _Optional[_Union[GenerateVideoData, _Mapping]] = ...) -> None: ...

class GenerateVideoData(_message.Message):
    __slots__ = ("model", "provider", "status", "operation_id", "poll_url", "video_url")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    POLL_URL_FIELD_NUMBER: _ClassVar[int]
    VIDEO_URL_FIELD_NUMBER: _ClassVar[int]
    model: str
    provider: str
    status: str
    operation_id: str
    poll_url: str
    video_url: str
    def __init__(self, model: _Optional[str] = ..., provider: _Optional[str] = ..., status: _Optional[str] = ..., operation_id: _Optional[str] = ..., poll_url: _Optional[str] = ..., video_url: _Optional[str] = ...) -> None: ...

class GetVideoStatusRequest(_message.Message):
    __slots__ = ("provider", "operation_id")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    provider: str
    operation_id: str
    def __init__(self, provider: _Optional[str] = ..., operation_id: _Optional[str] = ...) -> None: ...

class GetVideoStatusResponse(_message.Message):
    __slots__ = ("success", "data")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    success: bool
    data: VideoStatus
    def __init__(self, success: _Optional[bool] = ..., data: _Optional[_Union[VideoStatus, _Mapping]] = ...) -> None: ...

class VideoStatus(_message.Message):
    __slots__ = ("done", "status", "operation_id", "video_url", "error")
    DONE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    VIDEO_URL_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    done: bool
    status: str
    operation_id: str
    video_url: str
    error: str
    def __init__(self, done: _Optional[bool] = ..., status: _Optional[str] = ..., operation_id: _Optional[str] = ..., video_url: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...
