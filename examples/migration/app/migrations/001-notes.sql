CREATE TABLE note (number serial PRIMARY KEY, text text NOT NULL);
INSERT INTO note (text) VALUES ('the first note comes with the table');
