CREATE TABLE "alarm" (
	"name" text collate "C" NOT NULL,
	"subject" text NOT NULL,
	"level" text NOT NULL,
	"since" timestamp (3) with time zone NOT NULL,
	"until" timestamp (3) with time zone,
	"detail" jsonb NOT NULL,
	CONSTRAINT "alarm_name_subject_pk" PRIMARY KEY("name","subject")
);
--> statement-breakpoint
ALTER TABLE "stream" ADD COLUMN "webhook_url" text;--> statement-breakpoint
ALTER TABLE "stream" ADD COLUMN "sealed_secrets" text;--> statement-breakpoint
ALTER TABLE "client" ADD COLUMN "secret_expires_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "stream" ADD CONSTRAINT "stream_webhook_whole" CHECK (num_nulls("stream"."webhook_url", "stream"."sealed_secrets") in (0, 2));