ALTER TABLE "active_document" ADD COLUMN "previous" text collate "C";
