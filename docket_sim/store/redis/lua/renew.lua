-- renew(now, ttl, server_ttl, lease, *claims)
--
-- Each claim: key, fence. Answers with the fences of those that are lost, and of those cancelled.

local expiry = whole(NOW + tonumber(lease))
local lost, cancelled = {}, {}
for i = REST, #ARGV, 2 do
    local key, fence = ARGV[i], ARGV[i + 1]
    local fields = read(key)
    if not fields or fields[FENCE] ~= fence then
        lost[#lost + 1] = fence
    else
        put(leases_of(fields), expiry, sound_member_of(key, fields))
        if fields[CANCELLED] then
            cancelled[#cancelled + 1] = fence
        end
    end
end
return answered(lost, cancelled)
