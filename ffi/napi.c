/*
 * Purpose: gives a port's region to JavaScript as an ArrayBuffer over the very
 * memory, without copying.
 *
 * The same file is loaded twice: by Deno.dlopen for the calls, and as a
 * Node-API addon for this one function. Deno.UnsafePointerView could do it too,
 * but wants permission for every library; this way the permission stays scoped
 * to one file. The few declarations of Node-API are those of its stable
 * interface, version 8; the runtime provides the symbols.
 *
 * Closing a port: TypeScript detaches the buffer first, then calls uspf_close,
 * which unmaps. The finalizer has nothing to do.
 */
#include "uspf.h"

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_callback_info__ *napi_callback_info;
typedef int napi_status;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
typedef void (*napi_finalize)(napi_env, void *, void *);

napi_status napi_create_external_arraybuffer(napi_env, void *, size_t, napi_finalize, void *, napi_value *);
napi_status napi_create_function(napi_env, const char *, size_t, napi_callback, void *, napi_value *);
napi_status napi_get_cb_info(napi_env, napi_callback_info, size_t *, napi_value *, napi_value *, void **);
napi_status napi_get_value_int32(napi_env, napi_value, int32_t *);
napi_status napi_get_undefined(napi_env, napi_value *);
napi_status napi_set_named_property(napi_env, napi_value, const char *, napi_value);

USPF_API int32_t node_api_module_get_api_version_v1(void);
USPF_API napi_value napi_register_module_v1(napi_env env, napi_value exports);

static void keep_memory(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)data;
	(void)hint;
}

/* region(handle): ArrayBuffer, or undefined when the handle is not open. */
static napi_value region(napi_env env, napi_callback_info info)
{
	size_t count = 1;
	napi_value argument = NULL, result = NULL;
	int32_t handle = -1;
	struct uspf_port *port;

	napi_get_undefined(env, &result);
	if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) != 0 || count != 1)
		return result;
	if (napi_get_value_int32(env, argument, &handle) != 0)
		return result;
	port = uspf_port_of(handle);
	if (port != NULL)
		napi_create_external_arraybuffer(env, port->region, port->region_bytes, keep_memory, NULL, &result);
	return result;
}

int32_t node_api_module_get_api_version_v1(void)
{
	return 8;
}

napi_value napi_register_module_v1(napi_env env, napi_value exports)
{
	napi_value function;

	if (napi_create_function(env, "region", 6, region, NULL, &function) == 0)
		napi_set_named_property(env, exports, "region", function);
	return exports;
}
