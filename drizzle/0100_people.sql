CREATE TABLE "person_session" (
	"session_id" text collate "C" NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"person_id" text collate "C" NOT NULL,
	"name" text NOT NULL,
	"roles" text[] NOT NULL,
	"browser_hash" text collate "C" NOT NULL,
	"address" text NOT NULL,
	"began_at" timestamp (3) with time zone NOT NULL,
	"roles_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	CONSTRAINT "person_session_session_id_expires_at_pk" PRIMARY KEY("session_id","expires_at")
) PARTITION BY RANGE ("expires_at");
--> statement-breakpoint
-- Rows for which nobody made a partition in time: a missing one is an alarm and never a refusal.
CREATE TABLE "person_session_default" PARTITION OF "person_session" DEFAULT;
