/* This is a generated file, edit the .stub.php file instead.
 * Stub hash: ef622088997a5eee99e7fc8e4fd76571ecff68e1 */

static zend_class_entry *register_class_FrankenPHP_WebSocket_Exception(zend_class_entry *class_entry_RuntimeException)
{
	zend_class_entry ce, *class_entry;

	INIT_NS_CLASS_ENTRY(ce, "FrankenPHP\\WebSocket", "Exception", NULL);
#if (PHP_VERSION_ID >= 80400)
	class_entry = zend_register_internal_class_with_flags(&ce, class_entry_RuntimeException, 0);
#else
	class_entry = zend_register_internal_class_ex(&ce, class_entry_RuntimeException);
#endif

	return class_entry;
}

static zend_class_entry *register_class_FrankenPHP_WebSocket_UnknownClientException(zend_class_entry *class_entry_FrankenPHP_WebSocket_Exception)
{
	zend_class_entry ce, *class_entry;

	INIT_NS_CLASS_ENTRY(ce, "FrankenPHP\\WebSocket", "UnknownClientException", NULL);
#if (PHP_VERSION_ID >= 80400)
	class_entry = zend_register_internal_class_with_flags(&ce, class_entry_FrankenPHP_WebSocket_Exception, 0);
#else
	class_entry = zend_register_internal_class_ex(&ce, class_entry_FrankenPHP_WebSocket_Exception);
#endif

	return class_entry;
}

static zend_class_entry *register_class_FrankenPHP_WebSocket_InvalidArgumentException(zend_class_entry *class_entry_FrankenPHP_WebSocket_Exception)
{
	zend_class_entry ce, *class_entry;

	INIT_NS_CLASS_ENTRY(ce, "FrankenPHP\\WebSocket", "InvalidArgumentException", NULL);
#if (PHP_VERSION_ID >= 80400)
	class_entry = zend_register_internal_class_with_flags(&ce, class_entry_FrankenPHP_WebSocket_Exception, 0);
#else
	class_entry = zend_register_internal_class_ex(&ce, class_entry_FrankenPHP_WebSocket_Exception);
#endif

	return class_entry;
}

static zend_class_entry *register_class_FrankenPHP_WebSocket_NotRunningException(zend_class_entry *class_entry_FrankenPHP_WebSocket_Exception)
{
	zend_class_entry ce, *class_entry;

	INIT_NS_CLASS_ENTRY(ce, "FrankenPHP\\WebSocket", "NotRunningException", NULL);
#if (PHP_VERSION_ID >= 80400)
	class_entry = zend_register_internal_class_with_flags(&ce, class_entry_FrankenPHP_WebSocket_Exception, 0);
#else
	class_entry = zend_register_internal_class_ex(&ce, class_entry_FrankenPHP_WebSocket_Exception);
#endif

	return class_entry;
}

static zend_class_entry *register_class_FrankenPHP_WebSocket_NoBellException(zend_class_entry *class_entry_FrankenPHP_WebSocket_Exception)
{
	zend_class_entry ce, *class_entry;

	INIT_NS_CLASS_ENTRY(ce, "FrankenPHP\\WebSocket", "NoBellException", NULL);
#if (PHP_VERSION_ID >= 80400)
	class_entry = zend_register_internal_class_with_flags(&ce, class_entry_FrankenPHP_WebSocket_Exception, 0);
#else
	class_entry = zend_register_internal_class_ex(&ce, class_entry_FrankenPHP_WebSocket_Exception);
#endif

	return class_entry;
}

static zend_class_entry *register_class_FrankenPHP_WebSocket_ControlException(zend_class_entry *class_entry_FrankenPHP_WebSocket_Exception)
{
	zend_class_entry ce, *class_entry;

	INIT_NS_CLASS_ENTRY(ce, "FrankenPHP\\WebSocket", "ControlException", NULL);
#if (PHP_VERSION_ID >= 80400)
	class_entry = zend_register_internal_class_with_flags(&ce, class_entry_FrankenPHP_WebSocket_Exception, 0);
#else
	class_entry = zend_register_internal_class_ex(&ce, class_entry_FrankenPHP_WebSocket_Exception);
#endif

	return class_entry;
}
