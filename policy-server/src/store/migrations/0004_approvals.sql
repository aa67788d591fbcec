-- Who let a definition in: looked up for each sighting of one, of which a device may tell without end. What was
-- altered on the disk may be no JSON any more, and must not end anything.
CREATE INDEX records_approvals ON records (device, server, n)
    WHERE kind = 'definition'
        AND CASE WHEN json_valid(json) THEN json_extract(json, '$.event') END IN ('approved', 'forgotten');
