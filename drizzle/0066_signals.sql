CREATE TABLE "delivery" (
	"device_id" text collate "C" NOT NULL,
	"stream_id" text collate "C" NOT NULL,
	"position" bigint GENERATED ALWAYS AS IDENTITY (sequence name "delivery_position_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"event_id" uuid NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"delivered" text[] DEFAULT '{}' NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp (3) with time zone NOT NULL,
	"refused_at" timestamp (3) with time zone,
	"failure" text,
	CONSTRAINT "delivery_device_id_stream_id_position_pk" PRIMARY KEY("device_id","stream_id","position")
);
--> statement-breakpoint
CREATE TABLE "stream" (
	"stream_id" text collate "C" PRIMARY KEY NOT NULL,
	"client_id" text collate "C" NOT NULL,
	"audience" text NOT NULL,
	"push_url" text,
	"sealed_authorization" text,
	"events_requested" text[] NOT NULL,
	"events_delivered" text[] NOT NULL,
	"description" text,
	"subject_form" text NOT NULL,
	"status" text NOT NULL,
	"status_reason" text,
	"revision" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"delivered_at" timestamp (3) with time zone,
	"failing_since" timestamp (3) with time zone,
	"failure" text,
	"retry_at" timestamp (3) with time zone,
	"verification_at" timestamp (3) with time zone,
	CONSTRAINT "stream_status" CHECK ("stream"."status" in ('enabled', 'paused', 'disabled')),
	CONSTRAINT "stream_subject_form" CHECK ("stream"."subject_form" in ('device', 'user', 'complex', 'okta')),
	CONSTRAINT "stream_authorization_pushed" CHECK ("stream"."sealed_authorization" is null or "stream"."push_url" is not null),
	CONSTRAINT "stream_failing_whole" CHECK (num_nulls("stream"."failing_since", "stream"."failure", "stream"."retry_at") in (0, 3))
);
--> statement-breakpoint
CREATE TABLE "stream_exclusion" (
	"stream_id" text collate "C" NOT NULL,
	"device_id" text collate "C" NOT NULL,
	"owner" text NOT NULL,
	"excluded_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "stream_exclusion_stream_id_device_id_owner_pk" PRIMARY KEY("stream_id","device_id","owner"),
	CONSTRAINT "stream_exclusion_some" CHECK ("stream_exclusion"."device_id" <> '' or "stream_exclusion"."owner" <> '')
);
--> statement-breakpoint
ALTER TABLE "signing_key" DROP CONSTRAINT "signing_key_use";
--> statement-breakpoint
ALTER TABLE "signing_key" ADD CONSTRAINT "signing_key_use" CHECK ("signing_key"."use" in ('attestation', 'device-token', 'receipt', 'enrolment', 'security-event'));
