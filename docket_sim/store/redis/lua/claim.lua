-- claim(now, ttl, server_ttl, worker, limit, lease)
--
-- Answers with what was claimed, the earliest due time and expiry, and how much is outstanding.

limit = tonumber(limit)
local expiry = whole(NOW + tonumber(lease))
local claims = {}

-- End what nobody is to take over, and return the rest: {when, fence, member}, the longest due first.
local function expired()
    local found = {}
    for _, set in ipairs({ LEASED, VOID }) do
        for _, member in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', now, 'LIMIT', 0, 1000)) do
            local key = key_of(member)
            local fields = read(key, 'w')
            if not fields then
                drop(set, member)
            elseif fields[STATE] ~= 'r' then
                end_superseded(key, fields)
            elseif fields[CANCELLED] then
                finish(key, fields, 'x')
            else
                found[#found + 1] = { tonumber(fields[7]) or 0, tonumber(fields[FENCE]) or 0, member }
            end
        end
    end
    table.sort(found, function(one, other)
        if one[1] == other[1] then
            return one[2] < other[2]
        end
        return one[1] < other[1]
    end)
    return found
end

local function take(member)
    local key = key_of(member)
    local fields = redis.pcall('HMGET', of_key(key), 't', 'a', 'w', 'g', 'n', 'p', 'm', 'd')
    if fields.err then
        set_aside(key, 'its key holds something else than a hash')
        return
    end
    local task, arguments, when, generation = unpack(fields, 1, 4)
    local attempt, delivery = fields[5] or '1', tonumber(fields[8] or '0')
    local numbers = tonumber(when) and tonumber(generation) and tonumber(attempt) and delivery
    if not (task and arguments and when and generation and numbers) then
        set_aside(key, 'fields are missing, or are no numbers')
        return
    end
    local fence = whole(take_number())
    delivery = whole(delivery + 1)
    redis.call(
        'HSET', of_key(key),
        's', 'r', 'f', fence, 'd', delivery, 'k', worker, 'b', now, 'q', string.sub(member, 1, TICKET)
    )
    put(LEASED, expiry, member)
    changed(key)
    claims[#claims + 1] = {
        key, task, arguments, when, attempt, generation, fields[6] or '', fields[7] or '', delivery,
        fence,
    }
end

local function claim(takeovers, waiting)
    local i, j = 1, 1
    while #claims < limit and (i <= #takeovers or j <= #waiting) do
        local over = takeovers[i]
        if over and (j > #waiting or tonumber(waiting[j + 1]) >= over[1]) then
            i = i + 1
            drop(LEASED, over[3])
            take(over[3])
        else
            drop(DUE, waiting[j])
            take(waiting[j])
            j = j + 2
        end
    end
end

-- Read from the execution itself: a score is a double, which is too coarse after the year 2255.
local function first_due()
    while true do
        local member = redis.call('ZRANGE', DUE, 0, 0)[1]
        if not member then
            return ''
        end
        local fields = read(key_of(member), 'w')
        if fields and tonumber(fields[7]) then
            return fields[7]
        end
        set_aside(key_of(member), 'it has no due time')
        redis.call('ZREM', DUE, member)
    end
end

local function first(set)
    local score = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
    return score and tonumber(score) or math.huge
end

forget(1000)
local takeovers = expired()
local waiting = {}
if limit > 0 then
    make_changes() -- what was superseded may be due
    waiting = redis.call('ZRANGEBYSCORE', DUE, '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit)
    if #takeovers + #waiting > 0 then
        reserve(math.min(limit, #takeovers + #waiting / 2))
    end
end
claim(takeovers, waiting)
make_changes()

local next_due = first_due()
local next_expiry = math.min(first(LEASED), first(VOID))
if #claims > 0 then
    ring(tonumber(expiry), worker) -- the others learn when to look whether this worker is alive
end
if #claims < limit then -- this worker is about to sleep until then
    arm(math.min(tonumber(next_due) or math.huge, next_expiry))
end
next_expiry = next_expiry < math.huge and whole(next_expiry) or ''
return answered(claims, next_due, next_expiry, outstanding())
