-- Who let a definition in: looked up for each sighting of one, of which a device may tell without end.
CREATE INDEX records_approvals ON records (device, server, n)
    WHERE kind = 'definition' AND json_extract(json, '$.event') IN ('approved', 'forgotten');
