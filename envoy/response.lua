-- Makes the REST answers that gRPC cannot express. gRPC and gRPC-Web callers share the port and are left alone.
--
-- The server says what it wants in metadata beside a normal gRPC status:
--
--   x-http-status     the HTTP status: initial metadata of a success, trailing metadata of an error
--   x-error-body      the body, ASCII JSON: trailing metadata of an error
--   x-content-length  content-length, which gRPC lets no server send: initial metadata of a download
--
-- An error that Envoy made, or that the gRPC library made before the server's own code ran, gets the shape of the surface
-- that the path belongs to. The body of a success is never waited for, so streams pass as they come.

local KYMA_ONLY = { jobs = true, genmedia = true, pricing = true, limits = true, credits = true }
local DROPPED = { "x-http-status", "x-error-body", "x-content-length", "x-envoy-upstream-healthchecked-cluster",
  "grpc-status", "grpc-message", "grpc-status-details-bin", "grpc-accept-encoding", "grpc-encoding" }
local GRPC_CODES = { [404] = 5, [408] = 4, [413] = 8, [429] = 8, [431] = 8, [502] = 14, [503] = 14, [504] = 4 }
local MESSAGES = {
  [400] = "The request was refused.",
  [404] = "There is no such path or method.",
  [408] = "The request did not arrive in time.",
  [413] = "The body is larger than %s.",
  [429] = "Too many requests. Try again later.",
  [500] = "An internal error occurred.",
  [503] = "The service is unavailable. Try again later.",
  [504] = "The service did not answer in time.",
}
-- The limits on a body that are not Envoy's usual one; see the routes.
local BODY_MAX = { hooks = "1 MiB" }
local GRPC_MESSAGES = { ["4"] = MESSAGES[504], ["12"] = MESSAGES[404], ["14"] = MESSAGES[503] }

local function is_grpc(headers)
  return (headers:get("content-type") or ""):find("application/grpc", 1, true) == 1
end

-- GeekHub and Kyma share /v1: what only Kyma documents is Kyma's. The rest is GeekHub's, unless the key looks like one of
-- Kyma's; only the server knows whose it is, and it is not asked about a body that is too large.
local function surface_of(path, authorization)
  local first, second = path:match("^/([^/?]*)/?([^/?]*)")
  if first == "v1" then
    local is_shared = path:find("^/v1/videos/generations") or path:find("^/v1/models")
    local has_kyma_key = authorization:find("^[Bb]earer +ky%-") or authorization:find("^[Bb]earer +kyma%-")
    return (KYMA_ONLY[second] or (is_shared and has_kyma_key)) and "kyma" or "geekhub"
  elseif first == "api" then
    return "concurred"
  end
  local is_own = first == "geekhub" or first == "kyma" or first == "concurred" or first == "hooks"
  return is_own and first or "native"
end

-- A REST caller's headers that gRPC would take for its own. The library answers one that is malformed, such as
-- `grpc-timeout: soon`, with an error that reads like a fault of the server.
local function remove_grpc_headers(headers)
  local found = {}
  for name in pairs(headers) do
    if name:find("^grpc%-") or name:find("%-bin$") then
      found[#found + 1] = name
    end
  end
  for _, name in ipairs(found) do
    headers:remove(name)
  end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  if is_grpc(headers) then
    return
  end
  remove_grpc_headers(headers)
  local path = headers:get(":path") or ""
  if path:find("^/media/[^?]*%?") then
    -- Pages add a query to the address of a file to get around a cache; no file has one.
    headers:replace(":path", path:match("^[^?]*"))
  end
  local surface = surface_of(path, headers:get("authorization") or "")
  local id = headers:get("x-request-id") or ""
  if surface == "geekhub" then
    -- The documented form. The server makes the same one from the same header.
    id = "req_" .. id:gsub("-", ""):sub(1, 24)
  end
  local call = handle:streamInfo():dynamicMetadata()
  call:set("reelgate", "surface", surface)
  call:set("reelgate", "id", id)
  call:set("reelgate", "method", headers:get(":method"))
end

-- A JSON string of at most 100 printable ASCII characters.
local function quote(text)
  local printable = text:gsub("[^\32-\126]", "?"):sub(1, 100)
  return '"' .. printable:gsub('[\\"]', "\\%0") .. '"'
end

-- What a caller may read of an error that the server did not shape, and the field that it is about. Only the transcoder's
-- complaints about a request are worth telling, in their first line; the rest names addresses and parts of Envoy.
local function explain(status, text, surface)
  local line = status == 400 and text:match("^[^\r\n]+")
  if not line then
    local message = MESSAGES[status] or MESSAGES[status < 500 and 400 or 500]
    return message:format(BODY_MAX[surface] or "25 MiB"), "body"
  elseif line:find("Root element", 1, true) then
    return "The body must be a JSON object.", "body"
  end
  local unknown = line:match('^Could not find field "(.-)" in the type')
  local repeated = line:match("oneof field.*Cannot set '([%w_]+)'")
  local problem, nested = line:match("^: invalid value (.*) for type ([%w_]+)$")
  if unknown then
    return "Unknown query parameter: " .. unknown, unknown
  elseif repeated then
    return "Given more than once: " .. repeated, repeated
  elseif problem then
    return nested .. ": " .. problem, nested
  end
  return line, line:match("^([%w_.]+): ") or "body"
end

local function pick(status, not_found, too_many, refused, failed)
  return status == 404 and not_found or status == 429 and too_many or status < 500 and refused or failed
end

local SHAPES = {
  geekhub = function(status, message, _, id)
    local code = pick(status, "not_found", "rate_limit_exceeded", "invalid_request_error", "internal_error")
    return ('{"error":{"message":%s,"type":"%s","code":"%s","request_id":"%s"}}'):format(quote(message), code, code, id)
  end,
  kyma = function(status, message)
    local code = pick(status, "not_found", "rate_limited", "invalid_request", "provider_error")
    local kind = status < 500 and "invalid_request_error" or "server_error"
    return ('{"error":{"message":%s,"type":"%s","code":"%s"}}'):format(quote(message), kind, code)
  end,
  concurred = function(status, message)
    local code = pick(status, "NOT_FOUND", "RATE_LIMIT_EXCEEDED", "BAD_REQUEST", "INTERNAL_ERROR")
    return ('{"error":{"code":"%s","message":%s,"details":{}}}'):format(code, quote(message))
  end,
  hooks = function(status, message)
    local failed = status == 500 and "internal_error" or "unavailable"
    local code = pick(status, "not_found", "unavailable", "invalid_request", failed)
    return ('{"error":{"code":"%s","message":%s}}'):format(code, quote(message))
  end,
  native = function(status, message, field)
    local details = status < 500 and ('{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"INVALID_REQUEST",'
      .. '"domain":"reelgate","metadata":{"field":%s}}'):format(quote(field)) or ""
    local code = GRPC_CODES[status] or status < 500 and 3 or 13
    return ('{"code":%d,"message":%s,"details":[%s]}'):format(code, quote(message), details)
  end,
}

local function answer_error(handle, call, status, body, is_local)
  local buffer = handle:body(true)
  local trailers = not is_local and handle:trailers()
  if trailers and trailers:get("x-error-body") then
    -- The server had sent initial metadata before it failed.
    body = trailers:get("x-error-body")
    status = tonumber(trailers:get("x-http-status")) or status
  end
  local text = buffer:getBytes(0, buffer:length())
  if not body and status == 429 and text:find("message larger than max", 1, true) then
    -- The gRPC library's words for a body that grew in translation, as a list of numbers does.
    status, is_local = 413, true
  end
  if not body and call.surface == "native" and not is_local and text ~= "" then
    -- google.rpc.Status, as the transcoder wrote it.
    body = text
  elseif not body then
    local message, field = explain(status, text, call.surface)
    body = SHAPES[call.surface](status, message, field, call.id)
  end
  buffer:setBytes(call.method == "HEAD" and "" or body)
  -- Got anew: what was got before a wait is out of scope after it.
  local headers = handle:headers()
  headers:replace(":status", tostring(status))
  headers:replace("content-type", "application/json")
  headers:replace("content-length", tostring(#body))
end

-- No byte may follow the headers of these, or the connection is out of step.
local function silence(handle)
  for chunk in handle:bodyChunks() do
    chunk:setBytes("")
  end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local is_local = headers:get("x-reelgate-local-reply") ~= nil
  headers:remove("x-reelgate-local-reply")
  local call = handle:streamInfo():dynamicMetadata():get("reelgate")
  if not call and (is_grpc(headers) or not is_local) then
    if is_local and headers:get("grpc-message") then
      -- Envoy's own words name addresses.
      headers:replace("grpc-message", GRPC_MESSAGES[headers:get("grpc-status")] or MESSAGES[500])
    end
    return
  end
  -- Without a call, Envoy refused the request before this filter saw it.
  call = call or { surface = "native", id = "", method = "" }

  local is_error = tonumber(headers:get(":status")) >= 400
  local status = tonumber(headers:get("x-http-status") or headers:get(":status"))
  if status == 499 then
    -- The server was stopping and dropped the call before it began. A client that left by itself reads no answer.
    status, is_local = 503, true
  end
  local content_length, error_body = headers:get("x-content-length"), headers:get("x-error-body")
  for _, name in ipairs(DROPPED) do
    headers:remove(name)
  end
  headers:replace(":status", tostring(status))
  if call.id ~= "" then
    headers:replace("x-request-id", call.id)
  end

  if is_error then
    answer_error(handle, call, status, error_body, is_local)
  elseif status == 304 then
    headers:remove("content-type")
    silence(handle)
  elseif content_length then
    headers:replace("content-length", content_length)
    if call.method == "HEAD" then
      silence(handle)
    elseif handle:streamInfo():protocol() ~= "HTTP/2" then
      -- A download that fails half way has promised more bytes than it sent. A client of HTTP/1.1 would wait for them if
      -- the connection stayed open.
      handle:streamInfo():drainConnectionUponCompletion()
    end
  end
end
