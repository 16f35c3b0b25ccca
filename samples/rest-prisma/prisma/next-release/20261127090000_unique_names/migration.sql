-- If a product were added between these statements, the index could fail.
DELETE FROM "Product" "later" USING "Product" "first" WHERE "later"."name" = "first"."name" AND "later"."id" > "first"."id";

-- CreateIndex
CREATE UNIQUE INDEX "Product_name_key" ON "Product"("name");
