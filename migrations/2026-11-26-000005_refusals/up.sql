-- A job that the cluster does not take is given up after a while, which a restart of the server does not begin anew.

-- Since when the cluster refuses the job or its pods without a break; NULL while it does not.
ALTER TABLE jobs ADD COLUMN refused_since timestamptz;
