ALTER TABLE jobs DROP COLUMN refused_since;
