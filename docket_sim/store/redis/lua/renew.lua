-- renew(now, ttl, server_ttl, lease, *claims)
--
-- Each claim: key, fence. Answers with the fences of those that are lost, and of those cancelled.

local expiry = whole(NOW + tonumber(lease))
local lost, cancelled = {}, {}
for i = REST, #ARGV, 2 do
    local key, fence = ARGV[i], ARGV[i + 1]
    local fields = read(key, 'f', 'q', 'g', 'c')
    if not fields or fields[3] ~= fence then
        lost[#lost + 1] = fence
    else
        redis.call('ZADD', FINISHED[fields[1]] and VOID or LEASED, expiry, member_of(key, fields))
        if fields[6] then
            cancelled[#cancelled + 1] = fence
        end
    end
end
return { now, notices, aside, lost, cancelled }
