import { applyDecorators, Body, Get, HttpCode, Inject, Post, Req, Res, SetMetadata, type Type } from '@nestjs/common';
import { ADMIN_PANEL, OPEN_METADATA } from '../../maintenance.constants.js';
import type { OpenTo } from '../admin-token.guard.js';
import type { Panel, PanelRequest } from './panel.js';

/** Admits callers without the admin token; guards of the application are asked all the same. */
const OpenToCallers = (callers: OpenTo): MethodDecorator => SetMetadata(OPEN_METADATA, callers);

abstract class PanelEndpoints {
  @Inject(ADMIN_PANEL)
  protected readonly panel!: Panel;

  /** Serves the panel, to everyone: it asks for the token. */
  @Get('panel')
  @OpenToCallers('everyone')
  document(@Req() request: PanelRequest, @Res() response: object): Promise<void> {
    return this.panel.sendDocument(request, response);
  }

  /** Returns the state that the panel shows. */
  @Get('panel/state')
  state(@Req() request: PanelRequest, @Res() response: object): Promise<void> {
    return this.panel.sendState(request, response);
  }

  /** Sends the state of the panel as server-sent events. */
  @Get('panel/events')
  events(@Req() request: PanelRequest, @Res() response: object): void {
    this.panel.sendEvents(request, response);
  }

  /** Returns what a window would do, and changes nothing. */
  @Post('panel/preview')
  @HttpCode(200)
  preview(@Req() request: PanelRequest, @Body() body: unknown, @Res() response: object): Promise<void> {
    return this.panel.sendPreview(request, body, response);
  }

  /** Signs in with the token in the body, and sets the session cookie. */
  @Post('session')
  @HttpCode(200)
  @OpenToCallers('everyone')
  signIn(@Req() request: PanelRequest, @Body() body: unknown, @Res() response: object): void {
    this.panel.signIn(request, body, response);
  }

  /** Signs out: ends the session. */
  @Post('session/end')
  @HttpCode(200)
  @OpenToCallers('viewers')
  signOut(@Req() request: PanelRequest, @Res() response: object): Promise<void> {
    return this.panel.signOut(request, response);
  }
}

/**
 * Creates the controller of the panel.
 *
 * @param decorators - those of the admin endpoints: path, guards and error filter
 */
export function createPanelController(decorators: ClassDecorator[]): Type<PanelEndpoints> {
  class MaintenancePanelController extends PanelEndpoints {}
  applyDecorators(...decorators)(MaintenancePanelController);
  return MaintenancePanelController;
}
