import type { PageTexts } from '../page-texts.js';

export const spanish: PageTexts = {
  title: 'En mantenimiento',
  message: 'El servicio está en mantenimiento. Vuelva a intentarlo más tarde.',
  readOnlyTitle: 'Solo lectura por ahora',
  readOnlyMessage:
    'El servicio es de solo lectura durante el mantenimiento. Se puede consultar, pero los cambios deben esperar.',
  readOnlyNote:
    'Puede seguir leyendo. Por ahora solo se rechazan los cambios: lo que acaba de enviar no se ha guardado, y el botón Atrás de su navegador le devuelve a ello.',
  expectedEnd: 'Fin previsto',
  timeLeft: 'Tiempo restante',
  anyMoment: 'en cualquier momento',
  returnsByItself: 'Esta página volverá por sí sola cuando termine el mantenimiento.',
  tryAgain: 'Reintentar',
  continueReading: 'Seguir leyendo',
  support: 'Contactar con soporte',
  status: 'Estado del servicio',
  endChanged: 'El fin previsto ha cambiado.',
  opening: 'Abriendo la página.',
  acceptedAgain: 'Los cambios ya deberían aceptarse de nuevo.',
  unavailable: 'Servicio no disponible',
};
