PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES('0001');
CREATE TABLE sessions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	started_utc DATETIME NOT NULL, 
	ended_utc DATETIME, 
	routine TEXT NOT NULL, 
	outcome TEXT, 
	reason TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	is_simulated BOOLEAN NOT NULL, 
	planned_s DOUBLE NOT NULL, 
	elapsed_s DOUBLE, 
	speed DOUBLE NOT NULL, 
	percuss_version TEXT NOT NULL
);
INSERT INTO sessions VALUES(1,'2026-02-01 18:00:00.000000','2026-02-01 18:05:30.250000','evening-legs','done','',4711,0,330.0,330.0,1.0,'0.1.0');
INSERT INTO sessions VALUES(3,'2026-02-02 18:00:00.500000',NULL,'it''s mine; -- ü',NULL,'',4712,0,120.0,NULL,1.0,'0.1.0');
CREATE TABLE session_devices (
	session INTEGER NOT NULL, 
	role TEXT NOT NULL, 
	name TEXT NOT NULL, 
	profile TEXT NOT NULL, 
	PRIMARY KEY (session, role), 
	FOREIGN KEY(session) REFERENCES sessions (id)
);
INSERT INTO session_devices VALUES(1,'massager','elite','theragun-gen4');
INSERT INTO session_devices VALUES(3,'massager','elite','theragun-gen4');
INSERT INTO session_devices VALUES(3,'timer','lamp','lcus-relay');
CREATE TABLE steps (
	id INTEGER NOT NULL, 
	session INTEGER NOT NULL, 
	"index" INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	region TEXT, 
	side TEXT, 
	is_driven BOOLEAN NOT NULL, 
	planned_s DOUBLE NOT NULL, 
	elapsed_s DOUBLE, 
	started_utc DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(session) REFERENCES sessions (id)
);
INSERT INTO steps VALUES(1,1,0,'move',NULL,NULL,0,10.0,10.0,'2026-02-01 18:00:00.000000');
INSERT INTO steps VALUES(2,1,1,'work','calves','left',1,60.0,45.500000000000000001,'2026-02-01 18:00:10.000000');
INSERT INTO steps VALUES(3,3,0,'work','hamstrings',NULL,1,90.0,NULL,'2026-02-02 18:00:01.000000');
CREATE TABLE commands (
	id INTEGER NOT NULL, 
	session INTEGER NOT NULL, 
	at_utc DATETIME NOT NULL, 
	device TEXT NOT NULL, 
	channel TEXT NOT NULL, 
	level BIGINT NOT NULL, 
	percent DOUBLE NOT NULL, 
	ppm BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(session) REFERENCES sessions (id)
);
INSERT INTO commands VALUES(1,1,'2026-02-01 18:00:11.000000','elite','motor',1800,33.299999999999997158,1800);
CREATE TABLE reports (
	id INTEGER NOT NULL, 
	session INTEGER NOT NULL, 
	at_utc DATETIME NOT NULL, 
	device TEXT NOT NULL, 
	running BOOLEAN, 
	ppm BIGINT, 
	battery_pct DOUBLE, 
	temperature_c DOUBLE, 
	PRIMARY KEY (id), 
	FOREIGN KEY(session) REFERENCES sessions (id)
);
INSERT INTO reports VALUES(1,1,'2026-02-01 18:00:11.100000','elite',1,1795,81.0,NULL);
CREATE TABLE stops (
	id INTEGER NOT NULL, 
	session INTEGER, 
	at_utc DATETIME NOT NULL, 
	device TEXT NOT NULL, 
	proof TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(session) REFERENCES sessions (id)
);
INSERT INTO stops VALUES(1,1,'2026-02-01 18:05:30.200000','elite','confirmed',2);
INSERT INTO stops VALUES(2,NULL,'2026-02-02 17:59:00.000000','elite','unconfirmed',3);
CREATE TABLE refusals (
	id INTEGER NOT NULL, 
	session INTEGER, 
	at_utc DATETIME NOT NULL, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(session) REFERENCES sessions (id)
);
INSERT INTO refusals VALUES(1,1,'2026-02-01 18:03:00.000000','no stronger than 2000 here: tender.');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('sessions',3);
CREATE INDEX ix_steps_session ON steps (session);
CREATE INDEX ix_steps_started_utc ON steps (started_utc);
CREATE INDEX ix_commands_session ON commands (session);
CREATE INDEX ix_reports_session ON reports (session);
CREATE INDEX ix_stops_session ON stops (session);
COMMIT;
