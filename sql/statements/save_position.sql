-- The position and what was counted on the way there, in the transaction of the rows.
UPDATE source SET
    name = %(name)s, position = %(position)s, digest = %(digest)s, t = coalesce(%(t)s, t),
    mta = coalesce(%(mta)s, mta), t_first = least(t_first, %(t_first)s), state = coalesce(%(state)s::json, state),
    lines = lines + %(lines)s, unrecognised = unrecognised + %(unrecognised)s,
    forged = forged + %(forged)s, too_old = too_old + %(too_old)s,
    known = known + %(known)s, unjoined = unjoined OR %(unjoined)s,
    updated_at = now()
WHERE id = %(id)s
