INSERT INTO status_place (ring, next) SELECT ring, 0 FROM generate_series(0, 99) AS ring;
--> statement-breakpoint
INSERT INTO status_list (id, revision) VALUES (1, 1);
