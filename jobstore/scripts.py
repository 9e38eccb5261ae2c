"""The Lua scripts behind `jobstore.records`: every change of a job is one of them, so it happens whole or not at all.

Each announces ``<id> <phase>``, phase GONE for a job that is forgotten. What has not ended is counted: the hash ``open`` holds
``<pixels> <priority> <owner>`` of each such job, the hash ``load`` the sums ``waiting:<priority>`` and ``running`` in pixels and
``jobs:<owner>``. `COUNT` is the beginning of every script that changes a phase.
"""

from __future__ import annotations

WEBHOOKS, CALLBACKS = "galsynth:webhooks", "galsynth:callbacks"
"""Jobs that have ended and whose callers are to be called, by time; and jobs that have not ended and whose callers want that."""

ALWAYS = "#!lua flags=allow-oom\n"
"""The beginning of a script that a server runs although its memory is full: what is there can end, and go."""

# Takes a job's pixels from where its phase before counted them to where its next phase does; an ended job is not counted.
COUNT = (
    ALWAYS
    + f"local WEBHOOKS, CALLBACKS = '{WEBHOOKS}', '{CALLBACKS}'"
    + """
local function count(open, load, id, before, after)
  local text = redis.call('HGET', open, id)
  if not text then return end
  local pixels, priority, owner = string.match(text, '^(%d+) (%a+) (.*)$')
  local places = {QUEUED = 'waiting:' .. priority, EXECUTING = 'running'}
  if places[before] then redis.call('HINCRBY', load, places[before], -tonumber(pixels)) end
  if places[after] then
    redis.call('HINCRBY', load, places[after], pixels)
  else
    redis.call('HDEL', open, id)
    redis.call('HINCRBY', load, 'jobs:' .. owner, -1)
    if redis.call('SREM', CALLBACKS, id) == 1 and after ~= '' then
      redis.call('ZADD', WEBHOOKS, redis.call('TIME')[1], id)
    end
  end
end
"""
)

# Pixels that run, and jobs that do: those that have not ended and do not wait.
_RUNNING = """
local function running_of(waiting, open, load)
  local jobs = redis.call('HLEN', open) - redis.call('ZCARD', waiting)
  return {tonumber(redis.call('HGET', load, 'running') or '0'), math.max(0, jobs)}
end
"""

# KEYS job, index, waiting, users of the result, open, load, budget of the owner, [idempotency entry]; ARGV channel, JSON (see
# `JobRecords.create`), then field, value …  Returns body digest and job of the entry, and what `PLACE` does; or 'refused',
# why, and what it would take (pixels too many, or seconds). A job that the entry gives to another order is marked as handed
# out: from then on `TAKE_BACK` leaves it. Of the index's ten oldest ids those go whose records have expired, so it does not
# grow where nobody lists. The users of a result stay as long as the last of them, which need not be the new job.
CREATE = (
    _RUNNING
    + f"local WEBHOOKS, CALLBACKS = '{WEBHOOKS}', '{CALLBACKS}'"
    + """
local new = cjson.decode(ARGV[2])
if KEYS[8] then
  local held = redis.call('HMGET', KEYS[8], 'body', 'job')
  if held[1] and redis.call('EXISTS', new.prefix .. held[2]) == 1 then
    if held[1] == new.body and held[2] ~= new.id then redis.call('HSET', new.prefix .. held[2], 'handed', 1) end
    return held
  end
end
local rank, ahead, running = false, 0, {}
if new.phase == 'QUEUED' then
  local load = redis.call('HMGET', KEYS[6], 'waiting:interactive', 'waiting:bulk', 'jobs:' .. new.owner)
  local interactive, waiting = tonumber(load[1] or '0'), tonumber(load[1] or '0') + tonumber(load[2] or '0')
  local over = waiting + new.pixels - new.queue_pixels
  if new.queue_pixels > 0 and waiting > 0 and over > 0 then return {'refused', 'queue', over} end
  if new.unfinished_jobs > 0 and tonumber(load[3] or '0') >= new.unfinished_jobs then return {'refused', 'jobs', 0} end
  if new.daily_pixels > 0 then
    local held = redis.call('HMGET', KEYS[7], 'left', 'at')
    local left, at = tonumber(held[1] or new.daily_pixels), tonumber(held[2] or new.created)
    left = math.min(new.daily_pixels, left + math.max(0, tonumber(new.created) - at) * new.daily_pixels / 86400)
    if new.pixels > left then return {'refused', 'budget', math.ceil((new.pixels - left) * 86400 / new.daily_pixels)} end
    redis.call('HSET', KEYS[7], 'left', string.format('%.3f', left - new.pixels), 'at', new.created)
    redis.call('EXPIRE', KEYS[7], 86400)
  end
  ahead = new.priority == 'bulk' and waiting or interactive
end
if KEYS[8] then
  redis.call('HSET', KEYS[8], 'body', new.body, 'job', new.id)
  redis.call('EXPIRE', KEYS[8], new.seconds)
end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('EXPIREAT', KEYS[1], new.forget)
for _, oldest in ipairs(redis.call('ZRANGE', KEYS[2], 0, 9)) do
  if redis.call('EXISTS', new.prefix .. oldest) == 0 then redis.call('ZREM', KEYS[2], oldest) end
end
redis.call('ZADD', KEYS[2], new.created, new.id)
redis.call('ZADD', KEYS[4], new.expires, new.id)
redis.call('EXPIREAT', KEYS[4], new.forget, redis.call('TTL', KEYS[4]) < 0 and 'NX' or 'GT')
if new.phase == 'QUEUED' then
  redis.call('HSET', KEYS[5], new.id, string.format('%.0f', new.pixels) .. ' ' .. new.priority .. ' ' .. new.owner)
  redis.call('HINCRBY', KEYS[6], 'waiting:' .. new.priority, string.format('%.0f', new.pixels))
  redis.call('HINCRBY', KEYS[6], 'jobs:' .. new.owner, 1)
  redis.call('ZADD', KEYS[3], new.place, new.id)
  rank = redis.call('ZRANK', KEYS[3], new.id)
  running = running_of(KEYS[3], KEYS[5], KEYS[6])
end
if new.callback then
  if new.phase == 'QUEUED' then redis.call('SADD', CALLBACKS, new.id) else redis.call('ZADD', WEBHOOKS, new.created, new.id) end
end
return {new.body, new.id, rank, ahead, running[1], running[2]}
"""
)

_FORGET = """
count(KEYS[5], KEYS[6], ARGV[2], redis.call('HGET', KEYS[1], 'phase') or '', '')
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[2])
redis.call('ZREM', KEYS[4], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', ARGV[3])
redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' GONE')
return redis.call('ZCARD', KEYS[4])
"""

# KEYS job, index, waiting, users of the result, open, load; ARGV channel, id, now. Returns how many other jobs share the result.
DELETE = COUNT + _FORGET

# As `DELETE`, but only a job that waits and that no second order was answered with.
TAKE_BACK = (
    COUNT
    + """
local held = redis.call('HMGET', KEYS[1], 'phase', 'handed')
if held[1] ~= 'QUEUED' or held[2] then return nil end
"""
    + _FORGET
)

# KEYS job, waiting, open, load; ARGV channel, id, run or '', allowed phases, new phase (an end), then field, value …
# A run that asks again, as it never got the answer, gets the same one.
TRANSITION = (
    COUNT
    + """
local held = redis.call('HMGET', KEYS[1], 'phase', 'run')
if not held[1] then return nil end
if ARGV[3] ~= '' and held[1] == ARGV[5] and held[2] == ARGV[3] then return 'changed' end
if not string.find(ARGV[4], held[1], 1, true) then return held[1] end
if ARGV[3] ~= '' and held[2] ~= ARGV[3] then return 'lost' end
redis.call('HSET', KEYS[1], 'phase', ARGV[5], unpack(ARGV, 6))
redis.call('ZREM', KEYS[2], ARGV[2])
count(KEYS[3], KEYS[4], ARGV[2], held[1], ARGV[5])
redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' ' .. ARGV[5])
return 'changed'
"""
)

# KEYS job, waiting, open, load, dead, unacked_index; ARGV channel, id, now, most attempts, failure, delivery tag or '', seconds
# of doubt. Returns the job's fields, or the phase that forbids it. A second message of a job that runs is passed over while the
# first one's lease is in kombu's index: that one is delivered again where its worker has died. Where no attempt is left and the
# last one never ended, its worker may live, as leases also run out while the server is away: the job is given up by a message
# that comes when the doubt has lasted, and housekeeping sends one as long as the job has none. A delivery that asks again, as it
# never got the answer, gets the same one.
BEGIN = (
    COUNT
    + """
local held = redis.call('HMGET', KEYS[1], 'phase', 'cancel', 'attempts', 'tag', 'doubted')
local phase = held[1]
redis.call('ZREM', KEYS[2], ARGV[2])
if not phase then return 'GONE' end
if phase ~= 'QUEUED' and phase ~= 'EXECUTING' then return phase end
if phase == 'EXECUTING' and ARGV[6] ~= '' and held[4] and held[4] ~= ARGV[6] and redis.call('ZSCORE', KEYS[6], held[4]) then
  return phase
end
local function finish(new, ...)
  redis.call('HSET', KEYS[1], 'phase', new, 'ended', ARGV[3], ...)
  count(KEYS[3], KEYS[4], ARGV[2], phase, new)
  redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' ' .. new)
  return new
end
if held[2] then return finish('ABORTED') end
if phase == 'EXECUTING' and ARGV[6] ~= '' and held[4] == ARGV[6] then return redis.call('HGETALL', KEYS[1]) end
if tonumber(held[3] or '0') >= tonumber(ARGV[4]) then
  local time = tonumber(redis.call('TIME')[1])
  if not held[5] then redis.call('HSET', KEYS[1], 'doubted', time) end
  if time - tonumber(held[5] or time) < tonumber(ARGV[7]) then return phase end
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', 1000, '*', 'job', ARGV[2], 'record', redis.call('HGET', KEYS[1], 'record'))
  return finish('ERROR', 'failure', ARGV[5])
end
redis.call('HINCRBY', KEYS[1], 'attempts', 1)
redis.call('HINCRBY', KEYS[1], 'run', 1)
redis.call('HSET', KEYS[1], 'phase', 'EXECUTING', 'done', 0, 'started', ARGV[3], 'tag', ARGV[6])
redis.call('HDEL', KEYS[1], 'doubted')
count(KEYS[3], KEYS[4], ARGV[2], phase, 'EXECUTING')
redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' EXECUTING')
return redis.call('HGETALL', KEYS[1])
"""
)

# KEYS job, waiting, open, load; ARGV channel, id, pixels, priority, owner, place. A COMPLETED job without its result waits anew.
REVIVE = """
if redis.call('HGET', KEYS[1], 'phase') ~= 'COMPLETED' then return 0 end
redis.call('HDEL', KEYS[1], 'result', 'started', 'ended', 'doubted', 'refunds', 'refunded')
redis.call('HSET', KEYS[1], 'phase', 'QUEUED', 'done', 0, 'attempts', 0)
redis.call('ZADD', KEYS[2], ARGV[6], ARGV[2])
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5])
redis.call('HINCRBY', KEYS[4], 'waiting:' .. ARGV[4], ARGV[3])
redis.call('HINCRBY', KEYS[4], 'jobs:' .. ARGV[5], 1)
redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' QUEUED')
return 1
"""

# KEYS job; ARGV channel, id, run or '', done. Returns 1 where the work is to stop.
PROGRESS = (
    ALWAYS
    + """
local held = redis.call('HMGET', KEYS[1], 'phase', 'cancel', 'done', 'run', 'doubted')
if held[1] ~= 'EXECUTING' or held[2] or (ARGV[3] ~= '' and held[4] ~= ARGV[3]) then return 1 end
if held[5] then redis.call('HDEL', KEYS[1], 'doubted') end
if held[3] ~= ARGV[4] then
  redis.call('HSET', KEYS[1], 'done', ARGV[4])
  redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' EXECUTING')
end
return 0
"""
)

# KEYS job, waiting, open, load; ARGV channel, id, run or '', most refunds, whether the lease was lost. The job's message goes to
# the head of the queue, so does the job. Where another run has begun meanwhile, only the attempt is given back. Attempts whose
# lease was lost are not given back for ever, and each once: a job that makes every worker lose it is to end.
REQUEUE = (
    COUNT
    + """
local held = redis.call('HMGET', KEYS[1], 'phase', 'run', 'place', 'refunds', 'refunded')
if held[1] ~= 'EXECUTING' then return 0 end
local followed, run = ARGV[3] ~= '' and held[2] ~= ARGV[3], tonumber(ARGV[3]) or 0
if followed or ARGV[5] ~= '' then
  if tonumber(held[4] or '0') < tonumber(ARGV[4]) and run > tonumber(held[5] or '0') then
    redis.call('HINCRBY', KEYS[1], 'attempts', -1)
    redis.call('HINCRBY', KEYS[1], 'refunds', 1)
    redis.call('HSET', KEYS[1], 'refunded', run)
  end
else
  redis.call('HINCRBY', KEYS[1], 'attempts', -1)
end
if followed then return 0 end
redis.call('HSET', KEYS[1], 'phase', 'QUEUED', 'done', 0)
redis.call('HDEL', KEYS[1], 'doubted')
redis.call('ZADD', KEYS[2], held[3], ARGV[2])
count(KEYS[3], KEYS[4], ARGV[2], 'EXECUTING', 'QUEUED')
redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' QUEUED')
return 1
"""
)

# KEYS job, waiting, open, load; ARGV channel, id, now
CANCEL = (
    COUNT
    + """
local phase = redis.call('HGET', KEYS[1], 'phase')
if not phase then return nil end
if phase == 'PENDING' or phase == 'QUEUED' then
  redis.call('HSET', KEYS[1], 'phase', 'ABORTED', 'ended', ARGV[3], 'cancel', 1)
  redis.call('ZREM', KEYS[2], ARGV[2])
  count(KEYS[3], KEYS[4], ARGV[2], phase, 'ABORTED')
elseif phase == 'EXECUTING' then
  redis.call('HSET', KEYS[1], 'cancel', 1)
end
redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' ' .. redis.call('HGET', KEYS[1], 'phase'))
return phase
"""
)

# KEYS job; ARGV most bytes. Returns the job's fields; where its record is over that many, only how many it is.
READ_SMALL = """#!lua flags=no-writes
local size = redis.call('HSTRLEN', KEYS[1], 'record')
if size > tonumber(ARGV[1]) then return size end
return redis.call('HGETALL', KEYS[1])
"""

# KEYS waiting, open, load; ARGV most jobs to look at, once for all ids, then ids. Returns of each: rank, pixels ahead, pixels and
# jobs that run; nil where it does not wait. Beyond ``most`` jobs the pixels ahead are estimated from their mean.
PLACE = (
    _RUNNING
    + """
local ranks, deepest, most = {}, 0, tonumber(ARGV[1])
for n = 2, #ARGV do
  ranks[n] = redis.call('ZRANK', KEYS[1], ARGV[n])
  deepest = math.max(deepest, ranks[n] or 0)
end
local ahead, places, running = {[0] = 0}, {}, running_of(KEYS[1], KEYS[2], KEYS[3])
if deepest > 0 then
  for n, text in ipairs(redis.call('HMGET', KEYS[2], unpack(redis.call('ZRANGE', KEYS[1], 0, math.min(deepest, most) - 1)))) do
    ahead[n] = ahead[n - 1] + tonumber(text and string.match(text, '^%d+') or 0)
  end
end
for n = 2, #ARGV do
  local rank, seen = ranks[n], math.min(ranks[n] or 0, most)
  places[n - 1] = rank and {rank, math.floor(ahead[seen] * rank / math.max(1, seen)), unpack(running)}
end
return places
"""
)
