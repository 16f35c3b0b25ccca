import { Body, Controller, Get, Post } from '@nestjs/common';
import { PrismaService } from './prisma.service.js';

/** No line for maintenance mode: a read-only window admits GET and refuses POST, a full one refuses both. */
@Controller('products')
export class ProductsController {
  constructor(private readonly prisma: PrismaService) {}

  @Get()
  findAll() {
    return this.prisma.product.findMany({ orderBy: { id: 'asc' } });
  }

  @Post()
  create(@Body() { name, price }: { name: string; price: number }) {
    return this.prisma.product.create({ data: { name, price } });
  }
}
