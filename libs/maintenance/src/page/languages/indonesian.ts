import type { PageTexts } from '../page-texts.js';

export const indonesian: PageTexts = {
  title: 'Sedang dalam pemeliharaan',
  message: 'Layanan sedang dalam pemeliharaan. Silakan coba lagi nanti.',
  readOnlyTitle: 'Hanya baca untuk sementara',
  readOnlyMessage: 'Selama pemeliharaan, layanan hanya dapat dibaca. Membaca tetap bisa, perubahan harus menunggu.',
  readOnlyNote:
    'Anda dapat terus membaca. Untuk sementara hanya perubahan yang ditolak: yang baru saja Anda kirim tidak tersimpan, dan tombol Kembali di browser membawa Anda kembali ke sana.',
  expectedEnd: 'Perkiraan selesai',
  timeLeft: 'Sisa waktu',
  anyMoment: 'sebentar lagi',
  returnsByItself: 'Halaman ini akan kembali dengan sendirinya setelah pemeliharaan selesai.',
  tryAgain: 'Coba lagi',
  continueReading: 'Lanjutkan membaca',
  support: 'Hubungi dukungan',
  status: 'Status layanan',
  endChanged: 'Perkiraan selesai telah berubah.',
  opening: 'Membuka halaman.',
  acceptedAgain: 'Perubahan seharusnya sudah diterima kembali.',
  unavailable: 'Layanan tidak tersedia',
};
