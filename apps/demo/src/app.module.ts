import { fileURLToPath } from 'node:url';
import { Module } from '@nestjs/common';
import { ServeStaticModule } from '@nestjs/serve-static';
import { TerminusModule } from '@nestjs/terminus';
import { MaintenanceModule } from 'nestjs-maintenance';
import { ADMIN_TOKEN } from './admin-token.js';
import { HealthController } from './operations/health.controller.js';
import { ReportsController } from './operations/reports.controller.js';
import { WebhooksController } from './operations/webhooks.controller.js';
import { PagesController } from './pages/pages.controller.js';
import { Catalogue } from './shop/catalogue.js';
import { OrdersController } from './shop/orders.controller.js';
import { Orders } from './shop/orders.js';
import { PaymentsController } from './shop/payments.controller.js';
import { ProductsController } from './shop/products.controller.js';

@Module({
  imports: [
    MaintenanceModule.forRoot({
      admin: { panel: true },
      adminToken: ADMIN_TOKEN,
      // The status page is exempt, so its stylesheet must be exempt too.
      exempt: { urls: ['/assets/shop.css'] },
    }),
    ServeStaticModule.forRoot({
      rootPath: fileURLToPath(new URL('../public', import.meta.url)),
      serveRoot: '/assets',
      serveStaticOptions: { index: false },
    }),
    TerminusModule,
  ],
  controllers: [
    PagesController,
    ProductsController,
    OrdersController,
    PaymentsController,
    WebhooksController,
    ReportsController,
    HealthController,
  ],
  providers: [Catalogue, Orders],
})
export class AppModule {}
