CREATE TABLE "fleet_history" (
	"period" timestamp (3) with time zone PRIMARY KEY NOT NULL,
	"body" jsonb NOT NULL,
	"at" timestamp (3) with time zone NOT NULL
);
