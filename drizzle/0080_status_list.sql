CREATE TABLE "retired_place" (
	"place" integer PRIMARY KEY NOT NULL
);
--> statement-breakpoint
CREATE TABLE "status_chunk" (
	"chunk" integer PRIMARY KEY NOT NULL,
	"statuses" bytea NOT NULL
);
--> statement-breakpoint
CREATE TABLE "status_due" (
	"due_at" timestamp (3) with time zone NOT NULL,
	"batch" uuid NOT NULL,
	"device_ids" text[] NOT NULL,
	CONSTRAINT "status_due_due_at_batch_pk" PRIMARY KEY("due_at","batch")
);
--> statement-breakpoint
CREATE TABLE "status_list" (
	"id" smallint PRIMARY KEY NOT NULL,
	"revision" integer NOT NULL,
	"token" text,
	"issued_at" timestamp (3) with time zone,
	CONSTRAINT "status_list_one_row" CHECK ("status_list"."id" = 1),
	CONSTRAINT "status_list_whole" CHECK (num_nulls("status_list"."token", "status_list"."issued_at") in (0, 2))
);
--> statement-breakpoint
CREATE TABLE "status_place" (
	"ring" smallint PRIMARY KEY NOT NULL,
	"next" integer NOT NULL,
	CONSTRAINT "status_place_ring" CHECK ("status_place"."ring" between 0 and 99)
);
--> statement-breakpoint
ALTER TABLE "device" ADD COLUMN "status_place" integer;--> statement-breakpoint
ALTER TABLE "device" ADD COLUMN "listed_verdict" text;