import {
  createParamDecorator,
  Injectable,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';

export interface TenantRequest {
  headers: Record<string, string | undefined>;
  tenant: string;
}

/** By API key, because a caller must not be able to name the tenant of its choice. */
const TENANTS_BY_KEY: Record<string, string> = {
  'key-of-acme': 'acme',
  'key-of-globex': 'globex',
  'key-of-our-own': 'operator',
};

@Injectable()
export class TenantGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<TenantRequest>();
    const tenant = TENANTS_BY_KEY[request.headers['x-api-key'] ?? ''];
    if (tenant === undefined) throw new UnauthorizedException('Send a known key in X-Api-Key');
    request.tenant = tenant;
    return true;
  }
}

export const Tenant = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<TenantRequest>().tenant,
);
