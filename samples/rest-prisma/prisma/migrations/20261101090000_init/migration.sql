-- CreateTable
CREATE TABLE "Product" (
    "id" SERIAL NOT NULL,
    "name" TEXT NOT NULL,
    "price" INTEGER NOT NULL,

    CONSTRAINT "Product_pkey" PRIMARY KEY ("id")
);

-- Printed by: npx nestjs-maintenance sql postgres --table ops.maintenance_state
CREATE SCHEMA IF NOT EXISTS "ops";
CREATE TABLE IF NOT EXISTS "ops"."maintenance_state" (
  key text NOT NULL,
  instance text NOT NULL DEFAULT '',
  content text NOT NULL,
  expires_at timestamptz,
  PRIMARY KEY (key, instance)
);
