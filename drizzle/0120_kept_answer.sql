CREATE TABLE "kept_answer" (
	"key_id" text collate "C" PRIMARY KEY NOT NULL,
	"request_hash" text collate "C" NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"status" integer,
	"headers" jsonb,
	"body" text
);