import {
  applyDecorators,
  Body,
  Controller,
  Get,
  Header,
  HttpCode,
  Inject,
  Post,
  Req,
  SetMetadata,
  UseFilters,
  UseGuards,
  VERSION_NEUTRAL,
  type CanActivate,
  type Type,
} from '@nestjs/common';
import { MaintenanceService } from '../maintenance.service.js';
import { ADMIN_METADATA } from '../maintenance.constants.js';
import type { ChangeOrigin } from '../core/window-changes.js';
import type { InstanceReport } from '../core/instance-report.js';
import type { MaintenanceStatus } from '../core/maintenance-status.js';
import { AdminErrorsFilter } from './admin-errors.filter.js';
import { findCallerToAllow } from './allow-caller.js';
import { AdminTokenGuard } from './admin-token.guard.js';
import { parseJsonBody, type BodyRequest } from './json-body.js';
import { SameOriginGuard } from './same-origin.guard.js';

const NoStore = Header('Cache-Control', 'no-store');

abstract class AdminEndpoints {
  @Inject(MaintenanceService)
  protected readonly maintenance!: MaintenanceService;

  @Get()
  @NoStore
  status(): MaintenanceStatus {
    return this.maintenance.status();
  }

  @Get('instances')
  @NoStore
  instances(): Promise<InstanceReport[]> {
    return this.maintenance.instances();
  }

  @Post('on')
  @HttpCode(200)
  @NoStore
  async on(@Req() request: BodyRequest, @Body() body: unknown): Promise<MaintenanceStatus> {
    const { allowMe, ...window } = parseJsonBody(request, body) as { allowMe?: unknown };
    const caller = findCallerToAllow(allowMe, request);
    await this.maintenance.startWindow(window, getChangeOrigin(request), caller);
    return this.maintenance.status();
  }

  @Post('off')
  @HttpCode(200)
  @NoStore
  async off(@Req() request: BodyRequest, @Body() body: unknown): Promise<MaintenanceStatus> {
    await this.maintenance.endWindows(parseJsonBody(request, body), getChangeOrigin(request));
    return this.maintenance.status();
  }
}

/**
 * Creates the controller of the admin endpoints. Each registration needs a class, because Nest stores the path on the
 * class.
 */
export function createAdminController(
  path: string,
  guards: Type<CanActivate>[],
  decorators: ClassDecorator[],
): Type<AdminEndpoints> {
  class MaintenanceAdminController extends AdminEndpoints {}
  applyDecorators(
    Controller({ path, version: VERSION_NEUTRAL }),
    SetMetadata(ADMIN_METADATA, true),
    UseGuards(SameOriginGuard, AdminTokenGuard, ...guards),
    UseFilters(AdminErrorsFilter),
    ...decorators,
  )(MaintenanceAdminController);
  return MaintenanceAdminController;
}

function getChangeOrigin({ user }: BodyRequest): ChangeOrigin {
  const { username, email, name, id, sub } = (typeof user === 'object' && user !== null ? user : {}) as Record<
    string,
    unknown
  >;
  const author = [username, email, name, id, sub].find(
    (value) => typeof value === 'string' || typeof value === 'number',
  );
  return { via: 'http', by: author === undefined ? 'token' : String(author) };
}
