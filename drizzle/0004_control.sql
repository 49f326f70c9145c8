CREATE TABLE "control" (
	"id" smallint PRIMARY KEY NOT NULL,
	"revision" integer NOT NULL,
	CONSTRAINT "control_one_row" CHECK ("control"."id" = 1)
);
--> statement-breakpoint
CREATE TABLE "hold" (
	"hold_id" text collate "C" PRIMARY KEY NOT NULL,
	"cause_key" text NOT NULL,
	"cause" jsonb NOT NULL,
	"covers" timestamp (3) with time zone NOT NULL,
	"since" timestamp (3) with time zone NOT NULL,
	"until" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"evidence" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "job_lease" (
	"job" text PRIMARY KEY NOT NULL,
	"holder" text NOT NULL,
	"until" timestamp (3) with time zone NOT NULL,
	"position" text DEFAULT '' NOT NULL
);
--> statement-breakpoint
CREATE TABLE "override" (
	"override_id" text collate "C" PRIMARY KEY NOT NULL,
	"action" text NOT NULL,
	"target_kind" text NOT NULL,
	"target" text NOT NULL,
	"kind" text,
	"hash" text collate "C",
	"reason" text NOT NULL,
	"author" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	CONSTRAINT "override_action" CHECK ("override"."action" in ('pin', 'allow')),
	CONSTRAINT "override_target_kind" CHECK ("override"."target_kind" in ('device', 'label')),
	CONSTRAINT "override_version" CHECK (num_nulls("override"."kind", "override"."hash") = case "override"."action" when 'pin' then 0 else 2 end)
);
--> statement-breakpoint
CREATE TABLE "rollout" (
	"rollout_id" text collate "C" PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"from_hash" text collate "C" NOT NULL,
	"to_hash" text collate "C" NOT NULL,
	"state" text NOT NULL,
	"pass" text NOT NULL,
	"stage" smallint NOT NULL,
	"plan" jsonb NOT NULL,
	"since" timestamp (3) with time zone NOT NULL,
	"health" jsonb,
	"note" text NOT NULL,
	"author" text NOT NULL,
	"reason" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"revision" integer NOT NULL,
	CONSTRAINT "rollout_kind" CHECK ("rollout"."kind" in ('policy', 'reference-values')),
	CONSTRAINT "rollout_state" CHECK ("rollout"."state" in ('running', 'paused', 'halted', 'done', 'reverted')),
	CONSTRAINT "rollout_pass" CHECK ("rollout"."pass" in ('audit', 'enforce'))
);
--> statement-breakpoint
CREATE TABLE "rollout_observation" (
	"rollout_id" text collate "C" NOT NULL,
	"revision" integer NOT NULL,
	"reporter" text NOT NULL,
	"decisions" integer NOT NULL,
	"newly_denied" integer NOT NULL,
	"examples" jsonb NOT NULL,
	"causes" jsonb NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "rollout_observation_rollout_id_revision_reporter_pk" PRIMARY KEY("rollout_id","revision","reporter")
);
--> statement-breakpoint
ALTER TABLE "device" ADD COLUMN "announced_verdict" text DEFAULT 'unknown' NOT NULL;--> statement-breakpoint
CREATE INDEX "hold_cause" ON "hold" USING btree ("cause_key","until");--> statement-breakpoint
CREATE UNIQUE INDEX "hold_open" ON "hold" USING btree ("cause_key") WHERE "hold"."ended_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "rollout_open" ON "rollout" USING btree ("kind") WHERE "rollout"."state" in ('running', 'paused');