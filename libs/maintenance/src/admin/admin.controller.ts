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
import { API_EXCLUDE_CONTROLLER_METADATA } from '../nest-internals.js';
import type { ChangeOrigin } from '../core/window-changes.js';
import type { InstanceReport } from '../core/instance-report.js';
import type { MaintenanceStatus } from '../core/maintenance-status.js';
import { InvalidWindowError } from '../errors/invalid-window.error.js';
import { BYPASS_HEADER, BYPASS_PARAMETER, createBypass } from '../policy/bypass.js';
import { formatValue } from '../utils/format-value.js';
import { getCallerName } from './admin-caller.js';
import { AdminErrorsFilter } from './admin-errors.filter.js';
import { findCallerToAllow } from './allow-caller.js';
import { AdminTokenGuard } from './admin-token.guard.js';
import { parseJsonBody, type BodyRequest } from './json-body.js';
import { createPanelController } from './panel/panel.controller.js';
import type { PanelOnAnswer } from './panel/panel-state.js';
import { SameOriginGuard } from './same-origin.guard.js';

const NoStore = Header('Cache-Control', 'no-store');

abstract class AdminEndpoints {
  @Inject(MaintenanceService)
  protected readonly maintenance!: MaintenanceService;

  /** Returns the status, from memory. */
  @Get()
  @NoStore
  status(): MaintenanceStatus {
    return this.maintenance.status();
  }

  /** Returns the reports of the running instances. */
  @Get('instances')
  @NoStore
  instances(): Promise<InstanceReport[]> {
    return this.maintenance.instances();
  }

  /** Turns maintenance on, or changes the active window; the body has the fields of `enable()`. */
  @Post('on')
  @HttpCode(200)
  @NoStore
  async on(@Req() request: BodyRequest, @Body() body: unknown): Promise<PanelOnAnswer> {
    const { allowMe, bypass, ...window } = parseJsonBody(request, body) as { allowMe?: unknown; bypass?: unknown };
    const created = isBypassWanted(bypass) ? createBypass() : undefined;
    const additions = { allowIp: findCallerToAllow(allowMe, request), bypass: created?.stored };
    await this.maintenance.startWindow(window, getChangeOrigin(request), additions);
    const status = this.maintenance.status();
    if (!created) return status;
    return { ...status, bypass: { token: created.token, header: BYPASS_HEADER, parameter: BYPASS_PARAMETER } };
  }

  /** Turns maintenance off; the body has the fields of `disable()`. */
  @Post('off')
  @HttpCode(200)
  @NoStore
  async off(@Req() request: BodyRequest, @Body() body: unknown): Promise<MaintenanceStatus> {
    await this.maintenance.endWindows(parseJsonBody(request, body), getChangeOrigin(request));
    return this.maintenance.status();
  }
}

/**
 * Creates the controllers of the admin endpoints. Each registration needs classes, because Nest stores the path on the
 * class.
 */
export function createAdminControllers({ path, guards, decorators, panel, openapi }: AdminControllerOptions): Type[] {
  const all = [
    Controller({ path, version: VERSION_NEUTRAL }),
    SetMetadata(ADMIN_METADATA, true),
    UseGuards(SameOriginGuard, AdminTokenGuard, ...guards),
    UseFilters(AdminErrorsFilter),
    SetMetadata(API_EXCLUDE_CONTROLLER_METADATA, [!openapi]),
    ...decorators,
  ];
  class MaintenanceAdminController extends AdminEndpoints {}
  applyDecorators(...all)(MaintenanceAdminController);
  return panel ? [MaintenanceAdminController, createPanelController(all)] : [MaintenanceAdminController];
}

/** The options of {@link createAdminControllers}. */
export interface AdminControllerOptions {
  path: string;
  guards: Type<CanActivate>[];
  decorators: ClassDecorator[];
  panel: boolean;
  /** Whether the endpoints appear in the OpenAPI document of the application. */
  openapi: boolean;
}

function getChangeOrigin(request: BodyRequest): ChangeOrigin {
  return { via: 'http', by: getCallerName(request) };
}

function isBypassWanted(bypass: unknown): boolean {
  if (bypass === undefined || typeof bypass === 'boolean') return bypass === true;
  throw new InvalidWindowError(`\`bypass\` must be true or false, not ${formatValue(bypass)}.`);
}
