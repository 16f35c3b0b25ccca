import { Body, Controller, Get, HttpCode, Param, ParseIntPipe, Post } from '@nestjs/common';
import { MaintenanceAccess } from 'nestjs-maintenance';
import { Catalogue, type Product } from './catalogue.js';

@Controller('api/products')
export class ProductsController {
  constructor(private readonly catalogue: Catalogue) {}

  @Get()
  list(): readonly Product[] {
    return this.catalogue.all();
  }

  @Get(':id')
  findOne(@Param('id', ParseIntPipe) id: number): Product {
    return this.catalogue.find(id);
  }

  /** A POST that changes nothing, so read-only windows admit it. */
  @MaintenanceAccess('read')
  @Post('search')
  @HttpCode(200)
  search(@Body() body: unknown): Product[] {
    const { words } = (body ?? {}) as { words?: unknown };
    return this.catalogue.search(typeof words === 'string' ? words : '');
  }
}
