CREATE TABLE "question" (
	"period" timestamp (3) with time zone NOT NULL,
	"client_id" text collate "C" NOT NULL,
	"topic" text collate "C" NOT NULL,
	"device_id" text collate "C" NOT NULL,
	"sample" text collate "C" NOT NULL,
	"about" jsonb NOT NULL,
	"shape" text collate "C" NOT NULL,
	"rank" integer NOT NULL,
	"asked" bigint NOT NULL,
	"asked_at" timestamp (3) with time zone NOT NULL,
	"request" jsonb,
	"left_out" jsonb,
	CONSTRAINT "question_period_client_id_topic_device_id_sample_pk" PRIMARY KEY("period","client_id","topic","device_id","sample")
) PARTITION BY RANGE ("period");
--> statement-breakpoint
-- Rows for which nobody made a partition in time: a missing one is an alarm and never a refusal.
CREATE TABLE "question_default" PARTITION OF "question" DEFAULT;
