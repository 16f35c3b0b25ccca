import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Module } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import { MaintenanceModule } from 'nestjs-maintenance';
import { ProductsResolver } from './products.resolver.js';

@Module({
  imports: [
    GraphQLModule.forRoot<ApolloDriverConfig>({
      driver: ApolloDriver,
      autoSchemaFile: true,
      subscriptions: { 'graphql-ws': true },
    }),
    MaintenanceModule.forRoot(),
  ],
  providers: [ProductsResolver],
})
export class AppModule {}
