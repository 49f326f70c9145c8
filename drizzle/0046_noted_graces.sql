ALTER TABLE "device" ADD COLUMN "graces" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "rollout" ADD COLUMN "enforced_at" jsonb DEFAULT '{}'::jsonb NOT NULL;