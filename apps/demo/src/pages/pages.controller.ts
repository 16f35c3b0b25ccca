import { Body, Controller, Get, HttpCode, Post, Render } from '@nestjs/common';
import { SkipMaintenance } from 'nestjs-maintenance';
import { Catalogue } from '../shop/catalogue.js';
import { Orders } from '../shop/orders.js';

/** The pages for people. The banner in their layout is made of what the library gives to views. */
@Controller()
export class PagesController {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly orders: Orders,
  ) {}

  @Get()
  @Render('shop')
  shop(): object {
    return { title: 'Corner shop', products: this.catalogue.all() };
  }

  @SkipMaintenance()
  @Get('status')
  @Render('status')
  status(): object {
    return { title: 'Status' };
  }

  @Post('orders')
  @HttpCode(200)
  @Render('ordered')
  order(@Body() body: unknown): object {
    return { title: 'Thank you', order: this.orders.place(body) };
  }
}
