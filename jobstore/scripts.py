"""The Lua scripts behind `jobstore.records`: every change of a job is one of them, so it happens whole or not at all.

Each announces ``<id> <phase>``, phase GONE for a job that is forgotten.
"""

# KEYS job, index, waiting, users of the result, [idempotency entry]; ARGV channel, id, created, expires, forget at, phase,
# prefix of job keys, body digest, seconds, then field, value …  Returns body digest and job of the entry, and the queue position.
# Of the index's ten oldest ids those go whose records have expired, so it does not grow where nobody lists.
CREATE = """
if KEYS[5] then
  local held = redis.call('HMGET', KEYS[5], 'body', 'job')
  if held[1] and redis.call('EXISTS', ARGV[7] .. held[2]) == 1 then return held end
  redis.call('HSET', KEYS[5], 'body', ARGV[8], 'job', ARGV[2])
  redis.call('EXPIRE', KEYS[5], ARGV[9])
end
redis.call('HSET', KEYS[1], unpack(ARGV, 10))
redis.call('EXPIREAT', KEYS[1], ARGV[5])
for _, oldest in ipairs(redis.call('ZRANGE', KEYS[2], 0, 9)) do
  if redis.call('EXISTS', ARGV[7] .. oldest) == 0 then redis.call('ZREM', KEYS[2], oldest) end
end
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
redis.call('ZADD', KEYS[4], ARGV[4], ARGV[2])
redis.call('EXPIREAT', KEYS[4], ARGV[5])
local rank = false
if ARGV[6] == 'QUEUED' then
  redis.call('ZADD', KEYS[3], ARGV[3], ARGV[2])
  rank = redis.call('ZRANK', KEYS[3], ARGV[2])
end
return {ARGV[8], ARGV[2], rank}
"""

# KEYS job, index, waiting, users of the result; ARGV channel, id, now. Returns how many other jobs share the result.
DELETE = """
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[2])
redis.call('ZREM', KEYS[4], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', ARGV[3])
redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' GONE')
return redis.call('ZCARD', KEYS[4])
"""

# KEYS job, waiting; ARGV channel, id, allowed phases, new phase, then field, value …
TRANSITION = """
local phase = redis.call('HGET', KEYS[1], 'phase')
if not phase then return nil end
if not string.find(ARGV[3], phase, 1, true) then return phase end
redis.call('HSET', KEYS[1], 'phase', ARGV[4], unpack(ARGV, 5))
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' ' .. ARGV[4])
return 'changed'
"""

# KEYS job, waiting, dead; ARGV channel, id, now, most attempts, failure. Returns the job's fields, or the phase that forbids it.
BEGIN = """
local phase = redis.call('HGET', KEYS[1], 'phase')
redis.call('ZREM', KEYS[2], ARGV[2])
if not phase then return 'GONE' end
if phase ~= 'QUEUED' and phase ~= 'EXECUTING' then return phase end
if redis.call('HGET', KEYS[1], 'cancel') then
  redis.call('HSET', KEYS[1], 'phase', 'ABORTED', 'ended', ARGV[3])
  redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' ABORTED')
  return 'ABORTED'
end
if tonumber(redis.call('HGET', KEYS[1], 'attempts') or '0') >= tonumber(ARGV[4]) then
  redis.call('HSET', KEYS[1], 'phase', 'ERROR', 'ended', ARGV[3], 'failure', ARGV[5])
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', 1000, '*', 'job', ARGV[2], 'record', redis.call('HGET', KEYS[1], 'record'))
  redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' ERROR')
  return 'ERROR'
end
redis.call('HINCRBY', KEYS[1], 'attempts', 1)
redis.call('HSET', KEYS[1], 'phase', 'EXECUTING', 'done', 0, 'started', ARGV[3])
redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' EXECUTING')
return redis.call('HGETALL', KEYS[1])
"""

# KEYS job; ARGV channel, id, done. Returns 1 where the work is to stop.
PROGRESS = """
local held = redis.call('HMGET', KEYS[1], 'phase', 'cancel', 'done')
if held[1] ~= 'EXECUTING' or held[2] then return 1 end
if held[3] ~= ARGV[3] then
  redis.call('HSET', KEYS[1], 'done', ARGV[3])
  redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' EXECUTING')
end
return 0
"""

# KEYS job, waiting; ARGV channel, id, now
REQUEUE = """
if redis.call('HGET', KEYS[1], 'phase') ~= 'EXECUTING' then return 0 end
redis.call('HSET', KEYS[1], 'phase', 'QUEUED', 'done', 0)
redis.call('HINCRBY', KEYS[1], 'attempts', -1)
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' QUEUED')
return 1
"""

# KEYS job, waiting; ARGV channel, id, now
CANCEL = """
local phase = redis.call('HGET', KEYS[1], 'phase')
if not phase then return nil end
if phase == 'PENDING' or phase == 'QUEUED' then
  redis.call('HSET', KEYS[1], 'phase', 'ABORTED', 'ended', ARGV[3], 'cancel', 1)
  redis.call('ZREM', KEYS[2], ARGV[2])
elseif phase == 'EXECUTING' then
  redis.call('HSET', KEYS[1], 'cancel', 1)
end
redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' ' .. redis.call('HGET', KEYS[1], 'phase'))
return phase
"""
