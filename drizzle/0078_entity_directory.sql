CREATE TABLE "entity" (
	"kind" text collate "C" NOT NULL,
	"type" text collate "C" NOT NULL,
	"id" text collate "C" NOT NULL,
	"properties" jsonb NOT NULL,
	"source" text NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "entity_kind_type_id_pk" PRIMARY KEY("kind","type","id")
);
